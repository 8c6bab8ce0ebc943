//! SQL Server's side as far as it shows without a server: what is sent when a package's string is opened, and how
//! connecting ends where there is none, or something else.

use crate::peer::wire;
use crate::sessions::lease;
use dtsx_components::db::{DbError, ErrorKind};
use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

fn connect(string: &str) -> Result<(), DbError> {
    lease(string).map(drop)
}

/// A server that hears a login and hangs up.
fn listening() -> (u16, std::thread::JoinHandle<[String; 5]>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        wire::receive(&mut stream).unwrap();
        wire::Answer::new(stream.try_clone().unwrap()).before_login(wire::NOT_ENCRYPTED).unwrap();
        wire::login(&wire::receive(&mut stream).unwrap().body)
    });
    (port, heard)
}

#[test]
fn logins_of_packages_arrive_as_they_are_written() {
    for (string, password) in [
        (
            "Provider=SQLNCLI11.1;Data Source=HOST;Initial Catalog=My Sales;User ID=me;Password=planted-secret",
            "planted-secret",
        ),
        ("Provider=MSOLEDBSQL.1;Data Source=tcp:HOST;Initial Catalog=My Sales;User ID=me;Password=\"a;b=c\"", "a;b=c"),
        ("Provider=SQLOLEDB;Server=HOST;Database=My Sales;UID=me;PWD=}x{y}", "}x{y}"),
        ("Data Source=HOST;Initial Catalog=My Sales;User ID=me;Password='it''s;'", "it's;"),
        ("Data Source=HOST;Initial Catalog=My Sales;User ID=me;Password=pässwörd", "pässwörd"),
        ("Data Source=HOST;Initial Catalog=My Sales;User ID=me;Password={{x}", "{x"),
    ] {
        let (port, heard) = listening();
        let string = format!(
            "{};Application Name=Nightly load;Current Language=Deutsch",
            string.replace("HOST", &format!("127.0.0.1,{port}"))
        );
        let error = connect(&string).unwrap_err();
        assert!(matches!(error.kind, ErrorKind::Connect | ErrorKind::Lost), "{error:?}");
        assert!(!error.to_string().contains(password), "{error}");
        assert_eq!(heard.join().unwrap(), ["me", password, "Nightly load", "Deutsch", "My Sales"], "{string}");
    }
}

#[test]
fn where_no_server_is_connecting_ends_soon() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // One that talks another language, one that hangs up, one that says nothing.
    let talker = |words: &'static [u8], stays: bool| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            while let Ok((mut stream, _)) = listener.accept() {
                let _ = stream.write_all(words);
                if stays {
                    kept.push(stream);
                }
            }
        });
        port
    };
    for (name, port) in [
        ("nobody", nobody),
        ("http", talker(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\nno such thing here", true)),
        ("zeros", talker(&[0; 4096], true)),
        ("hung up", talker(b"", false)),
        ("silent", talker(b"", true)),
    ] {
        let started = Instant::now();
        let string = format!(
            "Provider=SQLNCLI11.1;Data Source=127.0.0.1,{port};Initial Catalog=A;User ID=me;Password=planted-secret;Connect Timeout=3"
        );
        let Err(error) = connect(&string) else { panic!("{name}: connected") };
        assert!(matches!(error.kind, ErrorKind::Connect | ErrorKind::Timeout), "{name}: {error:?}");
        assert!(started.elapsed() < Duration::from_secs(20), "{name}: {:?}", started.elapsed());
        assert!(!error.message.trim().is_empty() && !error.to_string().contains("planted-secret"), "{name}: {error}");
    }
}
