//! Where a server is, who asks, and how the connection is protected: the pairs of a connection string, in the words of OLE
//! DB providers, of SqlClient and of ODBC drivers for SQL Server.

use super::{SOURCE, failure, seconds};
use crate::db::connection_string::{Pairs, normal};
use crate::db::error::{DbError, ErrorKind, Outcome};
use crate::db::estate::{DATABASE, PASSWORD, SERVER, USER};
use crate::db::providers::{CONNECT_TIMEOUT, Encryption, ServerAddress, encryption};
use mssql_tds::connection::client_context::{ClientContext, TdsAuthenticationMethod, VectorVersion};
use mssql_tds::connection::tds_client::TdsClient;
use mssql_tds::connection_provider::tds_connection_provider::TdsConnectionProvider;
use mssql_tds::core::{EncryptionOptions, EncryptionSetting};
use mssql_tds::error::Error;
use mssql_tds::message::login_options::ApplicationIntent;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::runtime::Runtime;

const APPLICATION: [&str; 2] = ["Application Name", "APP"];
const STATION: [&str; 2] = ["Workstation ID", "WSID"];
const LANGUAGE: [&str; 2] = ["Current Language", "Language"];
const INTENT: [&str; 1] = ["Application Intent"];
const SUBNETS: [&str; 1] = ["Multi Subnet Failover"];
const PACKET: [&str; 1] = ["Packet Size"];
const ENCRYPT: [&str; 3] = ["Encrypt", "Use Encryption for Data", "Encryption"];
const TRUST: [&str; 1] = ["Trust Server Certificate"];
const NAME: [&str; 1] = ["Host Name In Certificate"];
const CERTIFICATE: [&str; 1] = ["Server Certificate"];
const WINDOWS: [&str; 2] = ["Integrated Security", "Trusted Connection"];
const PRINCIPAL: [&str; 1] = ["Server SPN"];

/// The other keys that the protocol here understands as those who wrote them mean them. Letter case, spaces and underscores
/// do not count.
const KEYS: [&str; 44] = [
    "Provider",
    "Driver",
    "Port",
    "Description",
    "Connect Timeout",
    "Connection Timeout",
    "Login Timeout",
    "Authentication",
    "TDS Version",
    "Client Charset",
    // A cursor has its connection.
    "Multiple Active Result Sets",
    "MARS Connection",
    "Mars Conn",
    // Text comes with the code page of its column.
    "Auto Translate",
    "Tag with column collation when possible",
    "Use Procedure for Prepare",
    "Use Proc For Prepare",
    "Use FMTONLY",
    // What is left out of messages anyway.
    "Persist Security Info",
    "Persist Sensitive",
    "Prompt",
    "Window Handle",
    "OLE DB Services",
    "Locale Identifier",
    // What the pool of others does is the pool's here.
    "Pooling",
    "Min Pool Size",
    "Max Pool Size",
    "Connection Lifetime",
    "Load Balance Timeout",
    "Connection Reset",
    "Pool Blocking Period",
    "Enlist",
    "Asynchronous Processing",
    "Async",
    "Connect Retry Count",
    "Connect Retry Interval",
    "Transparent Network IP Resolution",
    "Quoted Id",
    "Ansi NPW",
    "Network Library",
    "Network",
    "Net",
    "Type System Version",
    "Data Type Compatibility",
];

/// Whether everything that a string says can be done here; else the ODBC driver is asked.
pub(in crate::db) fn understands(pairs: &Pairs) -> bool {
    let groups: [&[&str]; 16] = [
        &SERVER,
        &DATABASE,
        &USER,
        &PASSWORD,
        &APPLICATION,
        &STATION,
        &LANGUAGE,
        &INTENT,
        &SUBNETS,
        &PACKET,
        &ENCRYPT,
        &TRUST,
        &NAME,
        &CERTIFICATE,
        &WINDOWS,
        &PRINCIPAL,
    ];
    let known =
        |key: &str| KEYS.iter().chain(groups.iter().flat_map(|g| g.iter())).any(|known| normal(key) == normal(known));
    // What would be another connection than this one if it were left out.
    let says = |keys: &[&str], fine: &dyn Fn(&str) -> bool| {
        pairs.filled(keys).is_none_or(|value| fine(value.trim().to_ascii_lowercase().as_str()))
    };
    let server = pairs.filled(&SERVER).unwrap_or("").trim().to_ascii_lowercase();
    pairs.iter().all(|(key, _)| known(key))
        // A name of freetds.conf.
        && pairs.filled(&["Servername"]).is_none()
        && !["np:", "admin:", r"\\", "(localdb)"].iter().any(|way| server.starts_with(way))
        && says(&["Authentication"], &|how| how == "sqlpassword")
        // 4.2 and 5.0 are Sybase's.
        && says(&["TDS Version"], &|version| version == "auto" || version.starts_with('7') || version.starts_with('8'))
        && says(&["Client Charset"], &|set| set.replace('-', "") == "utf8")
        && says(&["Network Library", "Network", "Net"], &|library| library == "dbmssocn")
        && says(&["Type System Version"], &|version| {
            version == "latest" || version.rsplit(' ').next().is_some_and(|year| year >= "2008")
        })
        // 80 makes texts of dates and times.
        && says(&["Data Type Compatibility"], &|version| version == "0")
        && pairs.flag(&["Quoted Id"]) != Some(false)
        && pairs.flag(&["Ansi NPW"]) != Some(false)
        && says(&PACKET, &|size| size.parse::<u32>().is_ok_and(|n| n == 0 || (512..=32_767).contains(&n)))
}

/// Whether a string asks for the login of whoever runs this.
pub(in crate::db) fn asks_windows(pairs: &Pairs) -> bool {
    pairs.flag(&WINDOWS) == Some(true) && pairs.filled(&USER).is_none()
}

/// Whether there is something to log in with where a string asks for the login of whoever runs this: on Windows always,
/// elsewhere a ticket of Kerberos (unconfirmed: caches of other kinds than files are not looked for, but where
/// KRB5CCNAME names one).
pub(in crate::db) fn has_ticket() -> bool {
    if cfg!(any(windows, target_os = "macos")) {
        return true;
    }
    let named = std::env::var("KRB5CCNAME").ok().filter(|name| !name.is_empty());
    match named {
        Some(name) => match name.strip_prefix("FILE:").unwrap_or(&name) {
            path if path.starts_with('/') => Path::new(path).is_file(),
            // KEYRING:, KCM:, DIR: and others.
            _ => true,
        },
        None => std::fs::read_dir("/tmp").is_ok_and(|entries| {
            entries.flatten().any(|e| {
                e.file_name().to_string_lossy().starts_with("krb5cc_") && std::fs::File::open(e.path()).is_ok()
            })
        }),
    }
}

/// Where the server is, as the protocol's crate reads it.
fn source(pairs: &Pairs) -> String {
    let server = pairs.filled(&SERVER).unwrap_or("").trim();
    let address = ServerAddress::of(server, pairs.filled(&["Port"]).map(str::trim));
    // With colons in it, a prefix would not be told from the address.
    let prefix = if address.host.contains(':') { "" } else { "tcp:" };
    match (&address.port, &address.instance) {
        (Some(port), _) => format!("{prefix}{},{port}", address.host),
        (None, Some(instance)) => format!("{prefix}{}\\{instance}", address.host),
        (None, None) => format!("{prefix}{},1433", address.host),
    }
}

fn protection(pairs: &Pairs) -> EncryptionOptions {
    let mode = match encryption(pairs) {
        // The login is encrypted wherever the server can.
        Encryption::No => EncryptionSetting::PreferOff,
        Encryption::Yes => EncryptionSetting::Required,
        Encryption::Strict => EncryptionSetting::Strict,
    };
    let text = |keys: &[&str]| pairs.filled(keys).map(|v| v.trim().to_owned());
    EncryptionOptions {
        mode,
        // Who does not ask for encryption gets what the server wants, and looks at no certificate.
        trust_server_certificate: mode == EncryptionSetting::PreferOff || pairs.flag(&TRUST) == Some(true),
        host_name_in_cert: text(&NAME),
        server_certificate: text(&CERTIFICATE).map(PathBuf::from),
    }
}

/// What a string says, as the protocol's crate wants it.
fn context(pairs: &Pairs, timeout: Duration) -> ClientContext {
    let mut context = ClientContext::with_data_source(&source(pairs));
    let text = |keys: &[&str], default: &str| pairs.filled(keys).unwrap_or(default).trim().to_owned();
    context.database = text(&DATABASE, "");
    context.application_name = text(&APPLICATION, "dtsx");
    context.library_name = "dtsx".to_owned();
    // Otherwise the login's own.
    context.language = text(&LANGUAGE, "");
    if let Some(station) = pairs.filled(&STATION) {
        context.workstation_id = station.trim().to_owned();
    }
    if text(&INTENT, "").eq_ignore_ascii_case("ReadOnly") {
        context.application_intent = ApplicationIntent::ReadOnly;
    }
    context.multi_subnet_failover = pairs.flag(&SUBNETS);
    if let Some(size) = pairs.filled(&PACKET).and_then(|size| size.trim().parse().ok()).filter(|size| *size > 0) {
        context.packet_size = size;
    }
    context.encryption_options = protection(pairs);
    context.connect_timeout = seconds(timeout);
    // What was done in a connection that broke is gone; nobody makes another one behind our back.
    context.connect_retry_count = 0;
    // As texts, as every server sends them to who does not know them.
    context.vector_version = VectorVersion::Off;
    context.server_spn = pairs.filled(&PRINCIPAL).map(|spn| spn.trim().to_owned());
    if asks_windows(pairs) {
        context.tds_authentication_method = TdsAuthenticationMethod::SSPI;
    } else {
        context.user_name = text(&USER, "");
        // Blanks may be part of it.
        context.password = pairs.get(&PASSWORD).unwrap_or("").to_owned();
    }
    context
}

/// Logs in.
pub(super) fn open(runtime: &Runtime, pairs: &Pairs, timeout: Option<Duration>) -> Outcome<TdsClient> {
    let place = source(pairs);
    let place = place.trim_start_matches("tcp:");
    let context = context(pairs, timeout.unwrap_or(CONNECT_TIMEOUT));
    // Boxed: its states are many.
    let login = Box::pin(async move {
        let source = context.data_source.clone();
        TdsConnectionProvider::new().create_client(context, &source, None).await
    });
    runtime.block_on(login).map_err(|error| refused(error, place, asks_windows(pairs)))
}

/// Why nobody came in.
fn refused(error: Error, place: &str, windows: bool) -> DbError {
    let said = error.to_string();
    let message = match &error {
        Error::SqlServerError { .. } => {
            let told = failure(error);
            return DbError { kind: ErrorKind::Connect, ..told };
        }
        Error::TimeoutError(_) => format!("{place} does not answer within the timeout of the connection"),
        Error::TlsError(_)
        | Error::TlsHandshakeError { .. }
        | Error::NoServerCertificate
        | Error::CertificateExpired => {
            format!(
                "the certificate of {place} is not to be trusted, or no encryption can be agreed on: {said}; \
                 TrustServerCertificate=True takes any certificate, HostNameInCertificate=… one for another name"
            )
        }
        _ if windows => format!(
            "Windows authentication (Integrated Security) at {place} failed: {said}; get a ticket of Kerberos (kinit), or \
             give a login: User ID=…;Password=…"
        ),
        _ => format!("{place} cannot be reached: {said}"),
    };
    DbError { source: SOURCE.into(), ..DbError::new(ErrorKind::Connect, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_understood() {
        for text in [
            "Data Source=.;Initial Catalog=Stage;Provider=SQLNCLI11.1;Integrated Security=SSPI;Auto Translate=False;",
            "Data Source=db;User ID=u;Password=p;Initial Catalog=x;Provider=SQLOLEDB.1;Persist Security Info=True;\
             Packet Size=32767;Application Name=SSIS-{guid}",
            "Server=tcp:db,1433;Database=x;User Id=u;Password=p;Encrypt=True;TrustServerCertificate=False;\
             Connection Timeout=30;MultipleActiveResultSets=False;Pooling=true;ApplicationIntent=ReadOnly",
            "Driver={ODBC Driver 18 for SQL Server};Server=db;Database=x;UID=u;PWD=p;Encrypt=strict;APP=a;WSID=w",
            "Driver=FreeTDS;Server=db;Port=1433;UID=u;PWD=p;TDS_Version=7.4;ClientCharset=UTF-8;Encryption=require",
            "Server=db;Network Library=DBMSSOCN;Type System Version=SQL Server 2012;UID=u;PWD=p",
            "Server=db;Authentication=SqlPassword;UID=u;PWD=p",
        ] {
            assert!(understands(&Pairs::parse(text)), "{text}");
        }
        for text in [
            "Server=db;Failover Partner=other",
            "Server=db;Authentication=Active Directory Password",
            "Server=db;Column Encryption Setting=Enabled",
            "Server=np:\\\\db\\pipe\\sql\\query",
            "Driver={SQL Server};Server=\\\\db\\pipe\\sql\\query",
            "Driver={SQL Server};Server=(localdb)\\x",
            "Server=admin:db",
            "Server=db;Network Library=dbnmpntw",
            "Server=db;Type System Version=SQL Server 2000",
            "Server=db;DataTypeCompatibility=80",
            "Server=db;Packet Size=100",
            "Driver=FreeTDS;Servername=entry",
            "Driver=FreeTDS;Server=db;TDS_Version=5.0",
            "Driver=FreeTDS;Server=db;ClientCharset=ISO-8859-1",
            "Driver={SQL Server};Server=db;QuotedId=No",
            "Server=db;Something=else",
        ] {
            assert!(!understands(&Pairs::parse(text)), "{text}");
        }
    }

    #[test]
    fn where_a_server_is() {
        for (text, expected) in [
            ("Server=db", "tcp:db,1433"),
            ("Data Source=.", "tcp:localhost,1433"),
            ("Data Source=(local)\\SQL2019", "tcp:localhost\\SQL2019"),
            ("Server=tcp:db.example,1500", "tcp:db.example,1500"),
            ("Server=db\\inst,1500", "tcp:db,1500"),
            ("Server=db;Port=1434", "tcp:db,1434"),
            ("Server=.\\MSSQLSERVER", "tcp:localhost,1433"),
            ("Server=::1,1433", "::1,1433"),
            ("Server=[fe80::2]", "fe80::2,1433"),
        ] {
            assert_eq!(source(&Pairs::parse(text)), expected, "{text}");
        }
    }

    #[test]
    fn options_of_a_login() {
        let text = "Data Source=db;Initial Catalog=Stage;User ID=me;Password= p ;Application Name=A;Workstation ID=W;\
                    Current Language=Deutsch;Application Intent=ReadOnly;MultiSubnetFailover=True;Packet Size=4096;\
                    ServerSPN=MSSQLSvc/db:1433";
        let mut pairs = Pairs::parse(text);
        pairs.set("Password", " p ");
        let found = context(&pairs, Duration::from_millis(2500));
        assert_eq!(
            (found.database.as_str(), found.user_name.as_str(), found.password.as_str()),
            ("Stage", "me", " p ")
        );
        assert_eq!((found.application_name.as_str(), found.workstation_id.as_str()), ("A", "W"));
        assert_eq!((found.language.as_str(), found.packet_size, found.connect_timeout), ("Deutsch", 4096, 3));
        assert_eq!((found.application_intent, found.multi_subnet_failover), (ApplicationIntent::ReadOnly, Some(true)));
        assert_eq!(found.server_spn.as_deref(), Some("MSSQLSvc/db:1433"));
        assert_eq!(
            (found.connect_retry_count, found.tds_authentication_method),
            (0, TdsAuthenticationMethod::Password)
        );
        let plain = context(&Pairs::parse("Server=db;Integrated Security=SSPI"), CONNECT_TIMEOUT);
        assert_eq!((plain.language.as_str(), plain.multi_subnet_failover, plain.connect_timeout), ("", None, 15));
        assert_eq!(plain.tds_authentication_method, TdsAuthenticationMethod::SSPI);
    }

    #[test]
    fn words_of_encryption() {
        use EncryptionSetting as E;
        for (text, mode, trust) in [
            ("Server=db", E::PreferOff, true),
            ("Provider=SQLNCLI11.1;Server=db", E::PreferOff, true),
            ("Provider=MSOLEDBSQL19.1;Server=db", E::Required, false),
            ("Provider=MSOLEDBSQL.1;Server=db;Use Encryption for Data=True", E::Required, false),
            ("Driver={ODBC Driver 18 for SQL Server};Server=db", E::Required, false),
            ("Driver=/opt/microsoft/lib/libmsodbcsql-18.3.so.2.1;Server=db", E::Required, false),
            ("Driver={ODBC Driver 18 for SQL Server};Server=db;Encrypt=no", E::PreferOff, true),
            ("Driver={ODBC Driver 17 for SQL Server};Server=db", E::PreferOff, true),
            ("Driver=FreeTDS;Server=db;Encryption=require", E::Required, false),
            ("Driver=FreeTDS;Server=db;Encryption=request", E::PreferOff, true),
            ("Server=db;Encrypt=True;TrustServerCertificate=True", E::Required, true),
            ("Server=db;Encrypt=Strict;Trust Server Certificate=yes", E::Strict, true),
        ] {
            let found = protection(&Pairs::parse(text));
            assert_eq!((found.mode, found.trust_server_certificate), (mode, trust), "{text}");
        }
        let named =
            protection(&Pairs::parse("Server=db;Encrypt=yes;HostNameInCertificate=c.example;ServerCertificate=/c.pem"));
        assert_eq!(named.host_name_in_cert.as_deref(), Some("c.example"));
        assert_eq!(named.server_certificate, Some(PathBuf::from("/c.pem")));
    }

    #[test]
    fn who_asks_for_the_login_of_windows() {
        assert!(asks_windows(&Pairs::parse("Server=db;Integrated Security=SSPI")));
        assert!(asks_windows(&Pairs::parse("Server=db;Trusted_Connection=Yes")));
        assert!(!asks_windows(&Pairs::parse("Server=db;Trusted_Connection=No")));
        assert!(!asks_windows(&Pairs::parse("Server=db;Integrated Security=SSPI;User ID=u")));
    }

    #[test]
    fn failures_of_logins_say_what_to_do() {
        let timeout = Error::TimeoutError(mssql_tds::error::TimeoutErrorType::String("x".into()));
        for (error, windows, words) in [
            (timeout, false, "does not answer"),
            (Error::ConnectionError("refused".into()), false, "cannot be reached: Connection Error: refused"),
            (Error::ConnectionError("no ticket".into()), true, "kinit"),
            (Error::NoServerCertificate, false, "TrustServerCertificate"),
        ] {
            let told = refused(error, "db,1433", windows);
            assert!(told.kind == ErrorKind::Connect && told.message.contains(words), "{told}");
        }
    }
}
