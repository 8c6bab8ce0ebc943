//! Database servers for tests: a private PostgreSQL and MariaDB, in a folder of their own.
//!
//! The first test that asks for one starts it, in whatever process that is; others find it running. Whoever uses a server
//! holds a shared lock on a file for as long as its process lives, and a watchman beside the server takes it down, and its
//! folder away, soon after nobody holds that lock any more: whatever way the tests ended, killed ones included.
//!
//! A test that kills or stops a server has one of its own ([`of_its_own`]), with the same watchman.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// How long a server may take to come up.
const PATIENCE: Duration = Duration::from_secs(30);

/// The makes of servers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Make {
    /// PostgreSQL.
    Postgres,
    /// MariaDB.
    MariaDb,
}

/// A server that runs.
#[derive(Debug)]
pub struct Server {
    make: Make,
    /// Where its data and its socket are.
    pub folder: PathBuf,
    /// Its TCP port on 127.0.0.1.
    pub port: u16,
    /// Keeps the watchman waiting.
    _in_use: File,
}

/// Whether what was committed has to outlive the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Durability {
    Careless,
    Careful,
}

/// A database on a server, made for one test.
#[derive(Clone, Debug)]
pub struct Database {
    server: &'static Server,
    /// Its name.
    pub name: String,
}

/// The private PostgreSQL. None: it cannot be had here, and why was said.
pub fn postgres() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| told(Make::Postgres)).as_ref()
}

/// The private MariaDB. None: it cannot be had here, and why was said.
pub fn mariadb() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(|| told(Make::MariaDb)).as_ref()
}

#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
fn told(make: Make) -> Option<Server> {
    match home(make, "").and_then(|folder| start(make, &folder, Durability::Careless)) {
        Ok(server) => Some(server),
        Err(reason) => {
            eprintln!("skipped: no {make:?} server: {reason}");
            None
        }
    }
}

/// A server for one test, which may kill it. It keeps what was committed. None: it cannot be had here, and why was said.
#[expect(clippy::print_stderr, reason = "a test that is left out says so")]
pub fn of_its_own(make: Make) -> Option<&'static Server> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let label = format!("-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    match home(make, &label).and_then(|folder| start(make, &folder, Durability::Careful)) {
        // It is taken down when this process ends.
        Ok(server) => Some(Box::leak(Box::new(server))),
        Err(reason) => {
            eprintln!("skipped: no {make:?} server: {reason}");
            None
        }
    }
}

impl Server {
    /// Sends a signal (`KILL`, `STOP`, `CONT`) to every process of the server.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal(&self, name: &str) -> Result<(), String> {
        let group = fs::read_to_string(self.folder.join("group")).map_err(|e| e.to_string())?;
        let first: u32 = group.trim().parse().map_err(|_| "no process".to_owned())?;
        // Servers put their workers into groups of their own: the tree tells which they are.
        let parents = parents();
        let mut all = vec![first];
        let mut at = 0;
        while at < all.len() {
            let parent = all[at];
            all.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(child, _)| *child));
            at += 1;
        }
        let send = |id: &u32| run(Command::new("kill").args([format!("-{name}"), id.to_string()]));
        send(&first)?;
        // The others may have ended meanwhile.
        all.iter().skip(1).for_each(|id| drop(send(id)));
        if name == "KILL" {
            let gone = || match all.iter().any(|id| runs(*id)) {
                true => Err("it does not end".to_owned()),
                false => Ok(()),
            };
            wait(gone)?;
        }
        Ok(())
    }

    /// Starts the server again after it was killed, with its data and at its port.
    ///
    /// # Errors
    /// It does not come up.
    pub fn again(&self) -> Result<(), String> {
        let data = self.folder.join("data");
        let server = match self.make {
            Make::Postgres => {
                // What a killed server leaves behind.
                for name in ["postmaster.pid".to_owned(), format!(".s.PGSQL.{}.lock", self.port)] {
                    let _ = fs::remove_file(data.join(name));
                }
                postmaster(&data, self.port, Durability::Careful)?
            }
            Make::MariaDb => mariadbd(&data, self.port, Durability::Careful)?,
        };
        keep(&self.folder, server)?;
        wait(|| answer(self.make, self.port))
            .map_err(|e| format!("{e}\n{}", fs::read_to_string(self.folder.join("log")).unwrap_or_default()))
    }

    /// A new, empty database.
    ///
    /// # Errors
    /// What the server says.
    pub fn database(&'static self) -> Result<Database, String> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("t{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        match self.make {
            Make::Postgres => self.sql("postgres", &format!("CREATE DATABASE {name}"))?,
            Make::MariaDb => self.sql("", &format!("CREATE DATABASE {name} CHARACTER SET utf8mb4"))?,
        };
        Ok(Database { server: self, name })
    }

    /// Runs statements in a database with the server's own client; what it prints, rows as lines.
    ///
    /// # Errors
    /// What the client says.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String, String> {
        let port = self.port.to_string();
        let mut command = match self.make {
            Make::Postgres => {
                let mut command = Command::new("psql");
                command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-p", &port]);
                command.args(["-U", "postgres", "-d", database, "-f", "-"]);
                command
            }
            Make::MariaDb => {
                let mut command = Command::new("mariadb");
                command.args(["--no-defaults", "-N", "-B", "-h", "127.0.0.1", "-P", &port, "-u", "tester"]);
                if !database.is_empty() {
                    command.args(["-D", database]);
                }
                command
            }
        };
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| e.to_string())?;
        if let Some(mut input) = child.stdin.take() {
            use std::io::Write;
            input.write_all(sql.as_bytes()).map_err(|e| e.to_string())?;
        }
        let output = child.wait_with_output().map_err(|e| e.to_string())?;
        match output.status.success() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

impl Database {
    /// Its ODBC connection string, with an option that keeps it with the driver.
    pub fn odbc(&self) -> String {
        let (port, name) = (self.server.port, &self.name);
        match self.server.make {
            Make::Postgres => format!(
                "Driver=PostgreSQL Unicode;Server=127.0.0.1;Port={port};Database={name};Uid=postgres;Pwd=planted-secret;UseDeclareFetch=1"
            ),
            Make::MariaDb => {
                format!(
                    "Driver=MariaDB Unicode;NO_CACHE=1;Server=127.0.0.1;Port={port};Database={name};Uid=tester;Pwd="
                )
            }
        }
    }

    /// The port of its server.
    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// A client of MariaDB that logs in as somebody and stays until it is killed.
    ///
    /// # Panics
    /// There is no client.
    #[expect(clippy::expect_used, reason = "a helper of tests: what fails here is a failed test")]
    pub fn hold(&self, user: &str) -> std::process::Child {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "-h", "127.0.0.1", "-P", &self.server.port.to_string(), "-u", user]);
        client.args(["-e", "select sleep(100)"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = client.spawn().expect("the client of MariaDB");
        let held = || match self.sql(&format!("select 1 from information_schema.processlist where user = '{user}'")) {
            Ok(found) if !found.trim().is_empty() => Ok(()),
            other => Err(format!("{other:?}")),
        };
        wait(held).expect("it logs in");
        child
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        let (port, name) = (self.server.port, &self.name);
        match self.server.make {
            Make::Postgres => format!("postgres://postgres:planted-secret@127.0.0.1:{port}/{name}"),
            Make::MariaDb => format!("mariadb://tester@127.0.0.1:{port}/{name}"),
        }
    }

    /// A file of the server's data folder; None: there is none.
    pub fn file(&self, name: &str) -> Option<String> {
        let path = self.server.folder.join("data").join(name);
        path.exists().then(|| path.to_string_lossy().into_owned())
    }

    /// Runs statements with the server's own client; what it prints, rows as lines.
    ///
    /// # Errors
    /// What the client says.
    pub fn sql(&self, sql: &str) -> Result<String, String> {
        self.server.sql(&self.name, sql)
    }

    /// Ends every other connection to this database, as an administrator would.
    ///
    /// # Errors
    /// What the server says.
    pub fn kill_connections(&self) -> Result<(), String> {
        let name = &self.name;
        match self.server.make {
            Make::Postgres => {
                let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
                self.server.sql("postgres", &sql).map(drop)
            }
            Make::MariaDb => {
                let sql = format!("SELECT id FROM information_schema.processlist WHERE db = '{name}'");
                let ids = self.server.sql("", &sql)?;
                let mut kill = String::new();
                for id in ids.lines() {
                    let _ = writeln!(kill, "KILL {id};");
                }
                self.server.sql("", &kill).map(drop)
            }
        }
    }
}

fn start(make: Make, folder: &Path, durability: Durability) -> Result<Server, String> {
    let in_use = loop {
        fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        let path = folder.join("in-use");
        let file = open(&path)?;
        file.lock_shared().map_err(|e| e.to_string())?;
        // The watchman of the tests before may have taken the folder away meanwhile, and the file with it.
        if fs::metadata(&path).is_ok_and(|there| file.metadata().is_ok_and(|mine| mine.ino() == there.ino())) {
            break file;
        }
    };
    let starting = open(&folder.join("starting"))?;
    starting.lock().map_err(|e| e.to_string())?;
    // Before anything else: whatever fails from here on, the folder goes away.
    watchman(folder)?;
    let port = folder.join("port");
    let known = fs::read_to_string(&port).ok().and_then(|text| text.trim().parse::<u16>().ok());
    if let Some(port) = known.filter(|port| answers(*port)) {
        return Ok(Server { make, folder: folder.to_owned(), port, _in_use: in_use });
    }
    // What failed a moment ago fails again: the other tests need not wait for it.
    let failed = folder.join("failed");
    let age = fs::metadata(&failed).and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
    if age.is_some_and(|age| age < Duration::from_secs(120)) {
        return Err(fs::read_to_string(&failed).unwrap_or_default());
    }
    let free = free_port()?;
    let begun = match make {
        Make::Postgres => begin_postgres(folder, free, durability),
        Make::MariaDb => begin_mariadb(folder, free, durability),
    };
    if let Err(reason) = begun {
        let _ = fs::write(&failed, &reason);
        return Err(reason);
    }
    fs::write(&port, free.to_string()).map_err(|e| e.to_string())?;
    Ok(Server { make, folder: folder.to_owned(), port: free, _in_use: in_use })
}

fn open(path: &Path) -> Result<File, String> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.map_err(|e| format!("{}: {e}", path.display()))
}

/// Every process and its parent.
fn parents() -> Vec<(u32, u32)> {
    let of = |id: u32| {
        let text = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // Behind the name, which may hold anything: the state, and the parent.
        text.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok().map(|parent| (id, parent))
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|e| e.file_name().to_string_lossy().parse().ok()).filter_map(of).collect()
}

/// Whether a process runs; one that has ended and waits for its parent does not.
fn runs(id: u32) -> bool {
    fs::read_to_string(format!("/proc/{id}/stat"))
        .is_ok_and(|text| text.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z')))
}

/// The folder of a server: one for each checkout and user (and label), with a short path, as sockets need it.
fn home(make: Make, label: &str) -> Result<PathBuf, String> {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    let mut bytes = crate::root().into_os_string().into_encoded_bytes();
    bytes.extend(user().as_bytes());
    for byte in bytes {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    }
    let name = match make {
        Make::Postgres => "pg",
        Make::MariaDb => "my",
    };
    Ok(PathBuf::from(format!("/tmp/dtsx-{name}-{:08x}{label}", hash as u32)))
}

fn user() -> String {
    let output = Command::new("id").arg("-u").output();
    output.map(|o| String::from_utf8_lossy(&o.stdout).trim().to_owned()).unwrap_or_default()
}

fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).map_err(|e| e.to_string())?;
    listener.local_addr().map(|a| a.port()).map_err(|e| e.to_string())
}

fn answers(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

/// A command that runs as `user` where this process is root, which servers refuse to be.
fn as_user(user_name: &str, program: &Path) -> Command {
    if user() == "0" {
        let mut command = Command::new("runuser");
        command.args(["-u", user_name, "--"]).arg(program);
        return command;
    }
    Command::new(program)
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{command:?}: {e}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// The newest program of that name below /usr/lib/postgresql, or one on the path.
fn program(name: &str) -> Result<PathBuf, String> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = versions.map(|v| v.path().join("bin").join(name)).filter(|p| p.exists()).collect();
    found.sort();
    let usual = ["/usr/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"].map(|f| Path::new(f).join(name));
    let usual = usual.into_iter().find(|p| p.exists());
    found.pop().or(usual).ok_or_else(|| format!("there is no {name} (tests/run says what to install)"))
}

/// An empty folder for data, owned by the user of the server.
fn data_folder(folder: &Path, owner: &str) -> Result<PathBuf, String> {
    let data = folder.join("data");
    let _ = fs::remove_dir_all(&data);
    fs::create_dir_all(&data).map_err(|e| e.to_string())?;
    if user() == "0" {
        run(Command::new("chown").args([owner, &data.to_string_lossy()]))?;
        run(Command::new("chmod").args(["755", &folder.to_string_lossy()]))?;
    }
    run(Command::new("chmod").args(["700", &data.to_string_lossy()]))?;
    Ok(data)
}

fn begin_postgres(folder: &Path, port: u16, durability: Durability) -> Result<(), String> {
    let initdb = program("initdb")?;
    program("psql")?;
    let data = data_folder(folder, "postgres")?;
    run(as_user("postgres", &initdb)
        .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D"])
        .arg(&data)
        .current_dir("/"))?;
    // Without openssl, the server does not encrypt.
    let _ = certificates(&data, "postgres").and_then(|()| encrypted_users(&data));
    keep(folder, postmaster(&data, port, durability)?)?;
    wait(|| answer(Make::Postgres, port))
}

fn postmaster(data: &Path, port: u16, durability: Durability) -> Result<Command, String> {
    let mut server = as_user("postgres", &program("postgres")?);
    server.arg("-D").arg(data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
    for setting in ["fsync=off", "full_page_writes=off", "max_connections=60"] {
        server.args(["-c", setting]);
    }
    if durability == Durability::Careless {
        server.args(["-c", "synchronous_commit=off"]);
    }
    if data.join("server.crt").exists() {
        for setting in ["ssl=on", "ssl_cert_file=server.crt", "ssl_key_file=server.key", "ssl_ca_file=root.crt"] {
            server.args(["-c", setting]);
        }
    }
    server.arg("-c").arg(format!("unix_socket_directories={}", data.display()));
    Ok(server)
}

/// Certificates of a root that signed itself, of the server for `localhost`, of the user `by_certificate`, and of another
/// root that signed neither. Made by openssl, as the user of the server.
fn certificates(data: &Path, owner: &str) -> Result<(), String> {
    let openssl = |words: &[&str]| run(as_user(owner, Path::new("openssl")).args(words).current_dir(data)).map(drop);
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    for name in ["root", "other"] {
        let files = ["-keyout".to_owned(), format!("{name}.key"), "-out".into(), format!("{name}.crt")];
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        let subject = format!("/CN=the {name} of tests");
        openssl(&[&["req", "-x509", "-days", "30", "-subj", &subject][..], &key, &files].concat())?;
    }
    fs::write(data.join("names"), "subjectAltName=DNS:localhost").map_err(|e| e.to_string())?;
    for (name, subject) in [("server", "/CN=localhost"), ("client", "/CN=by_certificate")] {
        let (private, request, signed) = (format!("{name}.key"), format!("{name}.csr"), format!("{name}.crt"));
        openssl(&[&["req", "-subj", subject, "-keyout", &private, "-out", &request][..], &key].concat())?;
        let by = ["-CA", "root.crt", "-CAkey", "root.key", "-CAcreateserial", "-days", "30", "-extfile", "names"];
        openssl(&[&["x509", "-req", "-in", &request, "-out", &signed][..], &by].concat())?;
    }
    Ok(())
}

/// Users that may only log in over encrypted connections.
fn encrypted_users(data: &Path) -> Result<(), String> {
    let access = data.join("pg_hba.conf");
    let rest = fs::read_to_string(&access).map_err(|e| e.to_string())?;
    let rules = "hostssl all encrypted all scram-sha-256\nhostnossl all encrypted all reject\n\
                 hostssl all by_certificate all cert\nhostnossl all by_certificate all reject\n";
    fs::write(&access, format!("{rules}{rest}")).map_err(|e| e.to_string())
}

fn begin_mariadb(folder: &Path, port: u16, durability: Durability) -> Result<(), String> {
    let install = program("mariadb-install-db")?;
    program("mariadb")?;
    let data = data_folder(folder, "mysql")?;
    run(as_user("mysql", &install)
        .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
        .arg(format!("--datadir={}", data.display()))
        .current_dir("/"))?;
    // Without openssl, the server does not encrypt.
    let _ = certificates(&data, "mysql");
    let init = data.join("init.sql");
    // One statement a line, as the server wants it.
    let users = "CREATE USER IF NOT EXISTS tester@'%';\nGRANT ALL PRIVILEGES ON *.* TO tester@'%' WITH GRANT OPTION;\n";
    fs::write(&init, users).map_err(|e| e.to_string())?;
    run(Command::new("chmod").args(["644", &init.to_string_lossy()]))?;
    keep(folder, mariadbd(&data, port, durability)?)?;
    wait(|| answer(Make::MariaDb, port))
}

fn mariadbd(data: &Path, port: u16, durability: Durability) -> Result<Command, String> {
    let mut command = as_user("mysql", &program("mariadbd")?);
    command.arg("--no-defaults").arg(format!("--datadir={}", data.display())).arg(format!("--port={port}"));
    command.arg(format!("--socket={}", data.join("s").display()));
    command.arg(format!("--init-file={}", data.join("init.sql").display()));
    command.args(["--bind-address=127.0.0.1", "--skip-log-bin", "--innodb-buffer-pool-size=64M"]);
    let flush = if durability == Durability::Careful { 2 } else { 0 };
    command.arg(format!("--innodb-flush-log-at-trx-commit={flush}"));
    command.args(["--skip-name-resolve", "--local-infile=1"]);
    if data.join("server.crt").exists() {
        for (option, file) in [("cert", "server.crt"), ("key", "server.key"), ("ca", "root.crt")] {
            command.arg(format!("--ssl-{option}={}", data.join(file).display()));
        }
    }
    Ok(command)
}

/// Asks a server for a sign of life.
fn answer(make: Make, port: u16) -> Result<(), String> {
    let port = port.to_string();
    let mut client = match make {
        Make::Postgres => {
            let mut psql = Command::new("psql");
            psql.args(["-X", "-q", "-h", "127.0.0.1", "-p", &port, "-U", "postgres", "-c", "select 1"]);
            psql
        }
        Make::MariaDb => {
            let mut client = Command::new("mariadb");
            client.args(["--no-defaults", "-h", "127.0.0.1", "-P", &port, "-u", "tester", "-e", "select 1"]);
            client
        }
    };
    run(&mut client)
}

/// Starts the server in a process group of its own, whose number is that of its first process.
fn keep(folder: &Path, mut server: Command) -> Result<(), String> {
    let log = open(&folder.join("log"))?;
    let errors = log.try_clone().map_err(|e| e.to_string())?;
    let child = server
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(|e| format!("{server:?}: {e}"))?;
    fs::write(folder.join("group"), child.id().to_string()).map_err(|e| e.to_string())?;
    // Whoever started it has to notice when it ends.
    std::thread::spawn(move || {
        let mut child = child;
        child.wait()
    });
    Ok(())
}

/// Starts the watchman of a folder, unless it has one: when nobody uses the server any more, it takes down what runs and
/// removes the folder.
fn watchman(folder: &Path) -> Result<(), String> {
    let mark = folder.join("watchman");
    let known = fs::read_to_string(&mark).ok().and_then(|text| text.trim().parse::<u32>().ok());
    if known.is_some_and(runs) {
        return Ok(());
    }
    let script = format!(
        "cd {folder} || exit; exec 9<in-use
         while ! flock -n -x 9; do sleep 1; done
         g=$(cat group 2>/dev/null)
         stat() {{ {{ read -r l <$1; }} 2>/dev/null || return 1; set -- ${{l##*) }}; parent=$2; in=$3; id=${{l%% *}}; }}
         if [ -n \"$g\" ]; then
           all=' '
           for s in /proc/[0-9]*/stat; do stat $s && [ $in = $g ] && all=\"$all$id \"; done
           for s in /proc/[0-9]*/stat; do stat $s && case \"$all\" in *\" $parent \"*) all=\"$all$id \";; esac; done
           kill -CONT $all; kill -TERM -$g; n=0
           while kill -0 -$g && [ $n -lt 40 ]; do sleep 0.25; n=$((n+1)); done
           kill -KILL -$g $all
         fi
         cd / && rm -rf {folder}",
        folder = folder.display(),
    );
    let watchman = Command::new("setsid")
        .args(["sh", "-c", &script, "dtsx-test-server"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let watchman = watchman.map_err(|e| format!("setsid: {e}"))?;
    fs::write(mark, watchman.id().to_string()).map_err(|e| e.to_string())
}

fn wait(mut ready: impl FnMut() -> Result<(), String>) -> Result<(), String> {
    let until = Instant::now() + PATIENCE;
    loop {
        match ready() {
            Ok(()) => return Ok(()),
            Err(reason) if Instant::now() > until => return Err(reason),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
