//! Database servers for tests: a private PostgreSQL and MariaDB, in a folder of their own.
//!
//! The first test that asks for one starts it, in whatever process that is; others find it running. Whoever uses a server
//! holds a shared lock on a file for as long as its process lives, and a watchman beside the server takes it down soon
//! after nobody holds that lock any more: whatever way the tests ended, killed ones included.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::net::TcpListener;
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
    match start(make) {
        Ok(server) => Some(server),
        Err(reason) => {
            eprintln!("skipped: no {make:?} server: {reason}");
            None
        }
    }
}

impl Server {
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
    /// Its ODBC connection string.
    pub fn odbc(&self) -> String {
        let (port, name) = (self.server.port, &self.name);
        match self.server.make {
            Make::Postgres => format!(
                "Driver=PostgreSQL Unicode;Server=127.0.0.1;Port={port};Database={name};Uid=postgres;Pwd=planted-secret;UseDeclareFetch=1"
            ),
            Make::MariaDb => {
                format!("Driver=MariaDB Unicode;Server=127.0.0.1;Port={port};Database={name};Uid=tester;Pwd=")
            }
        }
    }

    /// Its address as a URL.
    pub fn url(&self) -> String {
        let (port, name) = (self.server.port, &self.name);
        match self.server.make {
            Make::Postgres => format!("postgres://postgres:planted-secret@127.0.0.1:{port}/{name}"),
            Make::MariaDb => format!("mariadb://tester@127.0.0.1:{port}/{name}"),
        }
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

fn start(make: Make) -> Result<Server, String> {
    let folder = home(make)?;
    fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let open = |name: &str| {
        let path = folder.join(name);
        OpenOptions::new().create(true).append(true).open(&path).map_err(|e| format!("{}: {e}", path.display()))
    };
    let in_use = open("in-use")?;
    in_use.lock_shared().map_err(|e| e.to_string())?;
    let starting = open("starting")?;
    starting.lock().map_err(|e| e.to_string())?;
    let port = folder.join("port");
    let known = fs::read_to_string(&port).ok().and_then(|text| text.trim().parse::<u16>().ok());
    if let Some(port) = known.filter(|port| answers(*port)) {
        return Ok(Server { make, folder, port, _in_use: in_use });
    }
    // What failed a moment ago fails again: the other tests need not wait for it.
    let failed = folder.join("failed");
    let age = fs::metadata(&failed).and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
    if age.is_some_and(|age| age < Duration::from_secs(120)) {
        return Err(fs::read_to_string(&failed).unwrap_or_default());
    }
    let free = free_port()?;
    let begun = match make {
        Make::Postgres => begin_postgres(&folder, free),
        Make::MariaDb => begin_mariadb(&folder, free),
    };
    if let Err(reason) = begun {
        let _ = fs::write(&failed, &reason);
        return Err(reason);
    }
    fs::write(&port, free.to_string()).map_err(|e| e.to_string())?;
    Ok(Server { make, folder, port: free, _in_use: in_use })
}

/// The folder of a server: one for each checkout and user, with a short path, as sockets need it.
fn home(make: Make) -> Result<PathBuf, String> {
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
    Ok(PathBuf::from(format!("/tmp/dtsx-{name}-{:08x}", hash as u32)))
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

fn begin_postgres(folder: &Path, port: u16) -> Result<(), String> {
    let (initdb, postgres) = (program("initdb")?, program("postgres")?);
    program("psql")?;
    let data = data_folder(folder, "postgres")?;
    run(as_user("postgres", &initdb)
        .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "-N", "-D"])
        .arg(&data)
        .current_dir("/"))?;
    let mut server = as_user("postgres", &postgres);
    server.arg("-D").arg(&data).args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
    for setting in ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60"] {
        server.args(["-c", setting]);
    }
    server.arg("-c").arg(format!("unix_socket_directories={}", data.display()));
    keep(folder, server, port)?;
    wait(|| {
        let mut psql = Command::new("psql");
        psql.args(["-X", "-q", "-h", "127.0.0.1", "-p", &port.to_string(), "-U", "postgres", "-c", "select 1"]);
        run(&mut psql)
    })
}

fn begin_mariadb(folder: &Path, port: u16) -> Result<(), String> {
    let (install, server) = (program("mariadb-install-db")?, program("mariadbd")?);
    program("mariadb")?;
    let data = data_folder(folder, "mysql")?;
    run(as_user("mysql", &install)
        .args(["--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db"])
        .arg(format!("--datadir={}", data.display()))
        .current_dir("/"))?;
    let init = data.join("init.sql");
    // One statement a line, as the server wants it.
    let users = "CREATE USER tester@'%';\nGRANT ALL PRIVILEGES ON *.* TO tester@'%' WITH GRANT OPTION;\n";
    fs::write(&init, users).map_err(|e| e.to_string())?;
    run(Command::new("chmod").args(["644", &init.to_string_lossy()]))?;
    let mut command = as_user("mysql", &server);
    command.arg("--no-defaults").arg(format!("--datadir={}", data.display())).arg(format!("--port={port}"));
    command.arg(format!("--socket={}", data.join("s").display())).arg(format!("--init-file={}", init.display()));
    command.args(["--bind-address=127.0.0.1", "--skip-log-bin", "--innodb-buffer-pool-size=64M"]);
    command.args(["--innodb-flush-log-at-trx-commit=0", "--skip-name-resolve", "--local-infile=1"]);
    keep(folder, command, port)?;
    wait(|| {
        let mut client = Command::new("mariadb");
        client.args(["--no-defaults", "-h", "127.0.0.1", "-P", &port.to_string(), "-u", "tester", "-e", "select 1"]);
        run(&mut client)
    })
}

/// Starts the server, and the watchman that ends it.
fn keep(folder: &Path, mut server: Command, port: u16) -> Result<(), String> {
    let log = File::create(folder.join("log")).map_err(|e| e.to_string())?;
    let errors = log.try_clone().map_err(|e| e.to_string())?;
    let child = server
        .current_dir("/")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .spawn()
        .map_err(|e| format!("{server:?}: {e}"))?;
    // The server is in a process group of its own, whose number is that of its first process.
    let script = format!(
        "cd {folder} || exit; while sleep 3; do
           exec 9<in-use
           if flock -n -x 9; then
             rm -f port; kill -TERM -{group}; n=0
             while kill -0 -{group} && [ $n -lt 40 ]; do sleep 0.25; n=$((n+1)); done
             kill -KILL -{group}; rm -rf data; exit
           fi
           kill -0 -{group} || exit
         done",
        folder = folder.display(),
        group = child.id(),
    );
    let watchman = Command::new("setsid")
        .args(["sh", "-c", &script, &format!("dtsx-test-server-{port}")])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    watchman.map(drop).map_err(|e| format!("setsid: {e}"))
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
