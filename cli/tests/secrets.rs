//! No output of a run, of a check or of a test of connections holds a password, whatever goes wrong.
//!
//! A password is planted wherever one can stand, in packages that fail in every way; then every byte that the programs
//! write is searched for it.

#![expect(clippy::unwrap_used, reason = "everything here is a test")]

use dtsx_loader::model::{ConnectionManager, Disposition, Package, Parameter, Variable, property_expression};
use dtsx_tests::designer::{Class, Flow, configuration, database, execute_sql, file, log};
use dtsx_tests::servers;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// What every planted password holds.
const CORE: &str = "Pl4ntedS3cret";

/// A package that asks its database, in a folder of its own.
struct Plot {
    name: &'static str,
    /// The connection string in the package.
    string: String,
    /// The expression on it.
    expression: Option<String>,
    /// The expression of User::Computed.
    computed: Option<String>,
    /// connections.toml.
    estate: Option<String>,
    /// A .dtsConfig: paths and values.
    configured: Vec<(String, String)>,
    arguments: Vec<String>,
    /// The statement of the task.
    sql: &'static str,
    /// A word of what is said when it fails.
    says: &'static str,
}

impl Plot {
    fn new(name: &'static str, string: impl Into<String>, says: &'static str) -> Plot {
        Plot {
            name,
            string: string.into(),
            expression: None,
            computed: None,
            estate: None,
            configured: Vec::new(),
            arguments: Vec::new(),
            sql: "select 1 as n",
            says,
        }
    }

    /// Saves the package and what belongs to it.
    fn save(&self, folder: &Path) {
        let mut package = Package::new("Plot");
        let mut db = database("OLEDB", "Db", &self.string);
        if let Some(expression) = &self.expression {
            db.expressions.push(property_expression("ConnectionString", expression));
        }
        let log_file = |name: &str| {
            let mut manager = ConnectionManager::new("FILE", name, &folder.join(name).to_string_lossy());
            manager.data_mut().unwrap().set_file_usage_type(1);
            manager.set_dtsid(&format!("{{00000000-0000-4000-A000-{:012X}}}", name.len()));
            manager
        };
        let (text, xml) = (log_file("log.txt"), log_file("events.xml"));
        log(&mut package, "Microsoft.LogProviderTextFile", &text);
        log(&mut package, "Microsoft.LogProviderXMLFile", &xml);
        let statement = execute_sql("Ask", &db, self.sql, &[]);
        let mut flow = Flow::new("Package", "Read");
        let properties = [("AccessMode", "2"), ("SqlCommand", self.sql)];
        let class =
            Class { class: "Microsoft.OLEDBSource", role: "OleDbConnection", manager: "Db", properties: &properties };
        let (rows, _) = flow.source("Source", class, &[("n", "i4")], Disposition::FailComponent);
        flow.flat_file_destination("Out", "Out", &rows, &[("n", "i4")]);
        package.root.executables = vec![statement, flow.task()];
        let out = file("Out", &folder.join("out.csv"), &[("n", "i4")]);
        package.root.connection_managers = vec![db, text, xml, out];
        package.root.variables.push(Variable::new("User", "Pw", 8, &format!("{CORE}var")));
        if let Some(expression) = &self.computed {
            let mut computed = Variable::new("User", "Computed", 8, "");
            computed.set_evaluate_as_expression(true);
            computed.set_expression(expression);
            package.root.variables.push(computed);
        }
        package.root.parameters.push(Parameter::new("Secret", 8, &format!("{CORE}par")));
        if !self.configured.is_empty() {
            let one = |(path, value): &(String, String)| {
                let value = value.replace('&', "&amp;").replace('<', "&lt;");
                format!(
                    "<Configuration ConfiguredType=\"Property\" Path=\"{path}\" ValueType=\"String\">\
                     <ConfiguredValue>{value}</ConfiguredValue></Configuration>"
                )
            };
            let entries: String = self.configured.iter().map(one).collect();
            let path = folder.join("plot.dtsConfig");
            fs::write(&path, format!("<?xml version=\"1.0\"?><DTSConfiguration>{entries}</DTSConfiguration>")).unwrap();
            configuration(&mut package, 1, &path.to_string_lossy());
        }
        if let Some(estate) = &self.estate {
            fs::write(folder.join("connections.toml"), estate).unwrap();
        }
        dtsx_loader::dtsx::save(&package, &folder.join("plot.dtsx")).unwrap();
    }
}

/// Every way in which a package with a password can fail.
fn plots() -> Vec<Plot> {
    let odd = format!("{CORE};o'd}}d\"=x");
    let quoted = odd.replace('"', "\"\"");
    let braced = odd.replace('}', "}}");
    let nowhere = "no-such-host.invalid";
    let mut plots = vec![
        Plot::new("unknown host", format!("postgres://me:{CORE}@{nowhere}/db"), "cannot connect"),
        Plot::new(
            "closed port",
            format!("Driver=PostgreSQL Unicode;Server=127.0.0.1;Port=1;Database=x;Uid=me;Pwd={CORE}"),
            "cannot connect",
        ),
        Plot::new(
            "no driver",
            format!("Driver={{No Such Driver}};Server={nowhere};Uid=me;Pwd={{{braced}}}"),
            "No Such Driver",
        ),
        Plot::new(
            "ole db",
            format!("Provider=SQLNCLI11;Data Source={nowhere};Initial Catalog=x;User ID=sa;Password=\"{quoted}\""),
            "",
        ),
        Plot::new("no string at all", format!("{CORE} is no connection string"), ""),
        Plot::new("a broken string", format!("Driver={{PostgreSQL;Pwd={CORE};Server=\"x"), ""),
        Plot::new("analysis", format!("Provider=MSOLAP.4;Data Source=x;Password={CORE}"), ""),
        Plot {
            estate: Some(format!(
                "[connections.Db]\nconnect = 'Driver=PostgreSQL Unicode;Server={nowhere};Database=x'\nuser = 'me'\npassword = '''{odd}'''\n"
            )),
            ..Plot::new("estate", "", "")
        },
        Plot { estate: Some(format!("[connections.Db]\npassword = '{CORE}\n")), ..Plot::new("broken estate", "", "") },
        Plot {
            expression: Some(format!(
                "\"Driver=PostgreSQL Unicode;Server={nowhere};Database=x;Uid=me;Pwd=\" + @[User::Pw]"
            )),
            ..Plot::new("variable", "", "")
        },
        Plot {
            expression: Some(format!("\"Server={nowhere};Driver=MariaDB Unicode;Uid=me;Pwd=\" + @[$Package::Secret]")),
            ..Plot::new("parameter", "", "")
        },
        Plot {
            expression: Some(format!("\"Server={nowhere};Pwd={CORE}\" + @[User::Nowhere]")),
            ..Plot::new("broken expression", "", "")
        },
        Plot {
            expression: Some("@[User::Computed]".into()),
            computed: Some(format!("\"Server={nowhere};Password={CORE};\" + @[User::Nowhere]")),
            ..Plot::new("broken variable", "", "")
        },
        Plot {
            expression: Some("\"Server=x;Pwd=\" + (DT_WSTR,50)(DT_I4)@[User::Pw]".into()),
            ..Plot::new("expression that fails", "", "")
        },
        Plot {
            configured: vec![
                (
                    r"\Package.Connections[Db].Properties[ConnectionString]".into(),
                    format!("Driver=PostgreSQL Unicode;Server={nowhere};Uid=me;Pwd={{{braced}}}"),
                ),
                (r"\Package.Connections[Db].Properties[Password]".into(), odd.clone()),
                (r"\Package.Connections[Db].Properties[Nothing]".into(), odd.clone()),
                (r"\Package.Connections[Gone].Properties[ConnectionString]".into(), format!("Pwd={CORE}")),
            ],
            ..Plot::new("configuration", "", "")
        },
        Plot {
            arguments: vec![
                "--connect".into(),
                format!("Db=Driver=MariaDB Unicode;Server={nowhere};Uid=me;Pwd={CORE}"),
            ],
            ..Plot::new("option", "", "")
        },
        Plot {
            arguments: vec!["--set".into(), format!(r"\Package.Connections[Db].Properties[Password]={CORE}")],
            ..Plot::new("password set", format!("Driver=PostgreSQL Unicode;Server={nowhere};Uid=me"), "")
        },
    ];
    // Drivers cannot be told of a brace and a semicolon in one value, which is refused; each alone is fine.
    let braced = format!("{CORE};o'd\"=x");
    if let Some(server) = servers::postgres() {
        let here = format!("Server=127.0.0.1;Port={};Pwd={{{braced}}}", server.port);
        plots.extend([
            Plot::new(
                "login",
                format!("Driver=PostgreSQL Unicode;{here};Database=postgres;Uid=nobody_here"),
                "nobody_here",
            ),
            Plot::new(
                "login by odbc",
                format!("Driver=PostgreSQL Unicode;UseDeclareFetch=1;{here};Database=postgres;Uid=nobody_here"),
                "nobody_here",
            ),
            Plot::new(
                "database",
                format!("Driver=PostgreSQL Unicode;{here};Database=no_such_db;Uid=postgres"),
                "no_such_db",
            ),
            Plot {
                sql: "selekt 1",
                ..Plot::new(
                    "statement",
                    format!("postgres://postgres:{CORE}@127.0.0.1:{}/postgres", server.port),
                    "selekt",
                )
            },
            Plot {
                sql: "selekt 1",
                ..Plot::new(
                    "statement by odbc",
                    format!("Driver=PostgreSQL Unicode;UseDeclareFetch=1;{here};Database=postgres;Uid=postgres"),
                    "selekt",
                )
            },
            Plot::new("good", format!("postgres://postgres:{CORE}@127.0.0.1:{}/postgres", server.port), ""),
        ]);
    }
    if let Some(server) = servers::mariadb() {
        let user = format!("create or replace user somebody@'%' identified by '{CORE}'");
        server.sql("", &user).unwrap();
        let here = format!("Driver=MariaDB Unicode;Server=127.0.0.1;Port={}", server.port);
        plots.extend([
            Plot::new("login to mariadb", format!("{here};Uid=tester;Pwd={{{braced}}}"), "Access denied"),
            Plot {
                sql: "selekt 1",
                ..Plot::new("statement to mariadb", format!("{here};Uid=somebody;Pwd={CORE}"), "selekt")
            },
        ]);
    }
    plots
}

fn ran(binary: &str, arguments: &[&str]) -> Output {
    Command::new(binary).args(arguments).output().unwrap()
}

/// No file below a folder holds the core, but those that the test wrote itself.
fn search_files(folder: &Path, name: &str, problems: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let own = ["plot.dtsx", "plot.dtsConfig", "connections.toml"];
        if path.is_dir() || own.iter().any(|own| path.ends_with(own)) {
            continue;
        }
        let bytes = fs::read(&path).unwrap();
        // Logs are UTF-16.
        let plain: Vec<u8> = bytes.iter().copied().filter(|b| *b != 0).collect();
        let text = String::from_utf8_lossy(&plain);
        let found = text.lines().filter(|line| line.contains(CORE));
        problems.extend(found.map(|line| format!("{name}: {}: {line}", path.display())));
    }
}

#[test]
fn nothing_that_is_written_holds_a_password() {
    let dtsx = env!("CARGO_BIN_EXE_dtsx");
    let dtexec = env!("CARGO_BIN_EXE_dtexec");
    let mut problems = Vec::new();
    for plot in plots() {
        let folder = tempfile::tempdir().unwrap();
        plot.save(folder.path());
        let path = folder.path().join("plot.dtsx");
        let path = path.to_str().unwrap();
        let commands: [&[&str]; 8] = [
            &["run"],
            &["run", "--format", "json"],
            &["check"],
            &["check", "--format", "json"],
            &["explain"],
            &["connections"],
            &["connections", "--test"],
            &["connections", "--test", "--format", "json"],
        ];
        let mut all: Vec<(String, Output)> = Vec::new();
        for command in commands {
            let mut arguments = vec![command[0], path];
            arguments.extend(&command[1..]);
            arguments.extend(plot.arguments.iter().filter(|_| command[0] != "check").map(String::as_str));
            all.push((command.join(" "), ran(dtsx, &arguments)));
        }
        if plot.arguments.is_empty() {
            all.push(("dtexec".into(), ran(dtexec, &["/F", path, "/Rep", "V"])));
        }
        for (command, ran) in &all {
            for (stream, bytes) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
                let text = String::from_utf8_lossy(bytes);
                for line in text.lines().filter(|line| line.contains(CORE)) {
                    problems.push(format!("{}: {command}: {stream}: {line}", plot.name));
                }
            }
        }
        let (_, first) = &all[0];
        let said = String::from_utf8_lossy(&first.stderr);
        assert_eq!(first.status.success(), plot.name == "good", "{}: {said}", plot.name);
        assert!(said.contains(plot.says), "{}: nothing says {}\n{said}", plot.name, plot.says);
        search_files(folder.path(), plot.name, &mut problems);
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}
