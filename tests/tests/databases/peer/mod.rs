//! A peer that speaks the protocol of SQL Server, for tests where no SQL Server is: logins, batches, parameters, prepared
//! statements, transactions, bulk loads and attentions, with an SQLite behind, and with SQL Server's numbers of errors.
//! What it does not know it refuses by name.

mod serve;
mod sql;
mod tls;
mod types;
pub mod wire;

use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The password that is let in.
pub const PASSWORD: &str = "planted-secret";

/// What all connections of a peer have in common.
#[derive(Default)]
pub struct Shared {
    path: PathBuf,
    sockets: Mutex<Vec<TcpStream>>,
    /// User, password, application, language, database of each login.
    logins: Mutex<Vec<[String; 5]>>,
    /// Statements as they came.
    heard: Mutex<Vec<String>>,
    /// Rows that bulk loads were given, refused ones among them.
    bulk: AtomicUsize,
}

/// A server of a test's own, until it is dropped.
pub struct Peer {
    pub port: u16,
    shared: Arc<Shared>,
    folder: tempfile::TempDir,
}

impl Peer {
    pub fn start() -> Peer {
        let folder = tempfile::tempdir().unwrap();
        let shared = Arc::new(Shared { path: folder.path().join("peer.db"), ..Shared::default() });
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let common = shared.clone();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                common.sockets.lock().unwrap().push(stream.try_clone().unwrap());
                let common = common.clone();
                // A client that goes away is no failure.
                std::thread::spawn(move || serve::serve(stream, &common));
            }
        });
        Peer { port, shared, folder }
    }

    /// A string of a package that leads here.
    pub fn string(&self) -> String {
        format!(
            "Provider=MSOLEDBSQL.1;Data Source=127.0.0.1,{};Initial Catalog=peer;User ID=sa;Password={PASSWORD};\
             Encrypt=Optional;",
            self.port
        )
    }

    /// A certificate for `localhost` and its key; None: there is no openssl that makes them.
    pub fn certificate(&self, name: &str) -> Option<(PathBuf, PathBuf)> {
        let file = |end: &str| self.folder.path().join(format!("{name}.{end}"));
        let (certificate, key) = (file("crt"), file("key"));
        let words =
            "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=localhost -addext subjectAltName=DNS:localhost";
        let mut openssl = std::process::Command::new("openssl");
        let made = openssl.args(words.split(' ')).arg("-keyout").arg(&key).arg("-out").arg(&certificate).output();
        made.is_ok_and(|made| made.status.success()).then_some((certificate, key))
    }

    /// The port of a server that encrypts with a certificate: everything, or the login alone.
    pub fn encrypted(&self, (certificate, key): &(PathBuf, PathBuf), login_only: bool) -> u16 {
        tls::front(self.port, certificate, key, login_only).local_addr().unwrap().port()
    }

    /// Runs statements of SQLite beside all connections; what they select comes as lines, with bars between columns.
    pub fn sql(&self, sql: &str) -> Vec<String> {
        let connection = serve::open(&self.shared.path).unwrap();
        let mut lines = Vec::new();
        let mut statements = rusqlite::Batch::new(&connection, sql);
        while let Some(mut prepared) = rusqlite::fallible_iterator::FallibleIterator::next(&mut statements)
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
        {
            let columns = prepared.column_count();
            let mut rows = prepared.query([]).unwrap();
            while let Some(row) = rows.next().unwrap_or_else(|e| panic!("{sql}: {e}")) {
                let text = |at| match row.get::<_, rusqlite::types::Value>(at).unwrap() {
                    rusqlite::types::Value::Null => "NULL".to_owned(),
                    rusqlite::types::Value::Integer(n) => n.to_string(),
                    rusqlite::types::Value::Real(f) => f.to_string(),
                    rusqlite::types::Value::Text(text) => text,
                    rusqlite::types::Value::Blob(b) => b.iter().map(|b| format!("{b:02X}")).collect(),
                };
                lines.push((0..columns).map(text).collect::<Vec<_>>().join("|"));
            }
        }
        lines
    }

    /// Runs a statement in the words of SQL Server.
    pub fn make(&self, sql: &str) {
        let connection = serve::open(&self.shared.path).unwrap();
        for statement in sql::statements(sql) {
            let known = sql::Known { transactions: 0, rows: 0, identity: 0 };
            let (translated, _) = sql::translated(&statement, &known);
            connection.execute_batch(&translated).unwrap_or_else(|e| panic!("{translated}: {e}"));
            serve::note_identities(&connection, &statement);
        }
    }

    /// Breaks all connections.
    pub fn cut(&self) {
        for socket in self.shared.sockets.lock().unwrap().drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }

    pub fn heard(&self) -> Vec<String> {
        self.shared.heard.lock().unwrap().clone()
    }

    /// Forgets what was heard.
    pub fn forget(&self) {
        self.shared.heard.lock().unwrap().clear();
    }

    pub fn logins(&self) -> Vec<[String; 5]> {
        self.shared.logins.lock().unwrap().clone()
    }

    /// Rows that bulk loads were given so far.
    pub fn bulk_rows(&self) -> usize {
        self.shared.bulk.load(Ordering::Relaxed)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.cut();
    }
}
