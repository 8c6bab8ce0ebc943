//! The beginning of a connection: who the server is, whether it encrypts, and the ways of logging in.

use super::super::login::Address;
use super::super::{SOURCE, failure};
use super::{COLLATION, LONGEST, Wire, defect, refused};
use crate::db::error::{DbError, Outcome};
use crate::db::socket::Socket;
use crate::db::tls::{Cover, Stage};
use mysql_common::auth::plugins::{AuthProc, ChallengeResponsePlugin, Context};
use mysql_common::constants::{CapabilityFlags, MariadbCapabilities};
use mysql_common::io::ParseBuf;
use mysql_common::packets::{AuthPlugin, AuthSwitchRequest, HandshakePacket, HandshakeResponse, SslRequest};
use mysql_common::proto::MySerialize;

/// What a plugin of the login is told.
struct Login<'a> {
    password: &'a [u8],
    nonce: &'a [u8],
    private: bool,
    local: bool,
}

impl Context for Login<'_> {
    fn pass(&self) -> &[u8] {
        self.password
    }

    fn is_ipc_transport(&self) -> bool {
        self.local
    }

    fn is_tls_transport(&self) -> bool {
        self.private
    }

    fn scramble(&self) -> &[u8] {
        self.nonce
    }

    fn server_key_pem(&self) -> Option<&[u8]> {
        None
    }
}

impl Wire {
    /// Learns who the server is, and has the connection encrypted as wanted.
    pub(super) fn greeted(
        mut self,
        address: &Address,
        greeting: &HandshakePacket<'_>,
        cover: &Cover,
    ) -> Result<Wire, (Stage, DbError)> {
        let version = greeting.server_version_str();
        // MariaDB put a version before its own that old replicas believed.
        self.version = version.strip_prefix("5.5.5-").unwrap_or(&version).to_owned();
        // It says so too by leaving out the first bit, which every other server sets.
        self.is_maria = version.contains("MariaDB") || !self.offers(greeting, CapabilityFlags::CLIENT_LONG_PASSWORD);
        self.bulk = self.is_maria
            && greeting.mariadb_ext_capabilities().contains(MariadbCapabilities::MARIADB_CLIENT_STMT_BULK_OPERATIONS);
        self.interrupter.id = greeting.connection_id();
        if !self.offers(greeting, CapabilityFlags::CLIENT_PROTOCOL_41 | CapabilityFlags::CLIENT_PLUGIN_AUTH) {
            let message = format!("the server {} ({}) is older than 5.5.7", address.place(), self.version);
            return Err((Stage::LogIn, refused(message)));
        }
        let Some(config) = cover.config() else { return Ok(self) };
        if !self.offers(greeting, CapabilityFlags::CLIENT_SSL) {
            if matches!(cover, Cover::Offered(_)) {
                return Ok(self);
            }
            let message = format!("the server {} does not encrypt, and the connection wants it", address.place());
            return Err((Stage::LogIn, refused(message)));
        }
        if self.at < self.end {
            // It would be taken for an answer that came encrypted: somebody in between may have put it there.
            return Err((Stage::LogIn, refused(format!("the server {} speaks before its turn", address.place()))));
        }
        let request = SslRequest::new(self.abilities(address) | CapabilityFlags::CLIENT_SSL, LONGEST, COLLATION);
        let mut payload = Vec::new();
        request.serialize(&mut payload);
        self.write(&[&payload]).map_err(|e| (Stage::Encrypt, e))?;
        match self.socket {
            Socket::Tcp(stream) => {
                let tls = address.protection.encrypt(config, &address.host, stream).map_err(|e| (Stage::Encrypt, e))?;
                self.socket = Socket::Tls(Box::new(tls));
                Ok(self)
            }
            socket => Ok(Wire { socket, ..self }),
        }
    }

    fn offers(&self, greeting: &HandshakePacket<'_>, flags: CapabilityFlags) -> bool {
        greeting.capabilities().contains(flags)
    }

    fn abilities(&self, address: &Address) -> CapabilityFlags {
        let mut flags = CapabilityFlags::CLIENT_LONG_FLAG
            | CapabilityFlags::CLIENT_PROTOCOL_41
            | CapabilityFlags::CLIENT_TRANSACTIONS
            | CapabilityFlags::CLIENT_SECURE_CONNECTION
            | CapabilityFlags::CLIENT_MULTI_STATEMENTS
            | CapabilityFlags::CLIENT_MULTI_RESULTS
            | CapabilityFlags::CLIENT_PS_MULTI_RESULTS
            | CapabilityFlags::CLIENT_PLUGIN_AUTH;
        // Without this bit a server of MariaDB looks at those that only it knows.
        flags.set(CapabilityFlags::CLIENT_LONG_PASSWORD, !self.is_maria);
        flags.set(CapabilityFlags::CLIENT_FOUND_ROWS, address.found_rows);
        flags.set(CapabilityFlags::CLIENT_CONNECT_WITH_DB, !address.database.is_empty());
        flags.set(CapabilityFlags::CLIENT_SSL, matches!(self.socket, Socket::Tls(_)));
        flags
    }

    pub(super) fn log_in(&mut self, address: &Address, greeting: &HandshakePacket<'_>) -> Outcome<()> {
        let mut nonce = greeting.nonce();
        nonce.truncate(20);
        let mut plugin = greeting.auth_plugin().map_or(AuthPlugin::MysqlNativePassword, AuthPlugin::into_owned);
        let mut procedure = plugin.init();
        // A way that is not known here is not the user's, perhaps: the server says which that is.
        if procedure.is_err() || matches!(plugin, AuthPlugin::MysqlOldPassword | AuthPlugin::MysqlClearPassword) {
            plugin = AuthPlugin::MysqlNativePassword;
            procedure = plugin.init();
        }
        let mut procedure = procedure.map_err(|e| refused(e.to_string()))?;
        let first = self.step(address, &mut procedure, &plugin, &nonce, &nonce)?;
        let extended = match self.bulk {
            true => MariadbCapabilities::MARIADB_CLIENT_STMT_BULK_OPERATIONS,
            false => MariadbCapabilities::empty(),
        };
        let database = (!address.database.is_empty()).then_some(address.database.as_bytes());
        let response = HandshakeResponse::new(
            first.as_deref(),
            (5, 5, 7),
            Some(address.user.as_bytes()),
            database,
            Some(plugin.clone()),
            self.abilities(address),
            None,
            LONGEST,
        )
        .with_mariadb_ext_capabilities(extended);
        let mut payload = Vec::new();
        response.serialize(&mut payload);
        self.write(&[&payload])?;
        loop {
            let packet = self.packet()?;
            let answer = match packet.first() {
                Some(0x00) => {
                    self.done(&packet);
                    return Ok(());
                }
                Some(0xff) => return Err(failure(&packet)),
                Some(0xfe) if packet.len() > 1 => {
                    let switch: AuthSwitchRequest<'_> =
                        ParseBuf(&packet).parse(()).map_err(|e| defect(&format!("no way of logging in: {e}")))?;
                    plugin = switch.auth_plugin().into_owned();
                    nonce = switch.plugin_data().to_vec();
                    procedure = plugin.init().map_err(|_| unknown_plugin(&plugin))?;
                    self.step(address, &mut procedure, &plugin, &nonce, &nonce)?
                }
                Some(0xfe) => return Err(unknown_plugin(&AuthPlugin::MysqlOldPassword)),
                Some(0x01) => self.step(address, &mut procedure, &plugin, &nonce, &packet[1..])?,
                _ => self.step(address, &mut procedure, &plugin, &nonce, &packet)?,
            };
            if let Some(answer) = answer {
                self.write(&[&answer])?;
            }
        }
    }

    /// What a way of logging in says to a challenge.
    fn step(
        &self,
        address: &Address,
        procedure: &mut AuthProc,
        plugin: &AuthPlugin<'_>,
        nonce: &[u8],
        challenge: &[u8],
    ) -> Outcome<Option<Vec<u8>>> {
        let (private, local) = (matches!(self.socket, Socket::Tls(_)), matches!(self.socket, Socket::Unix(_)));
        let bare = matches!(plugin, AuthPlugin::MysqlClearPassword | AuthPlugin::MysqlOldPassword);
        if bare && !(private || local) {
            let name = String::from_utf8_lossy(plugin.as_bytes()).into_owned();
            let message =
                format!("the server wants the password as it is ({name}), over a connection that is not encrypted");
            return Err(refused(message));
        }
        let login = Login { password: address.password.as_bytes(), nonce, private, local };
        let response = procedure.run(login, challenge).map_err(|e| {
            let name = String::from_utf8_lossy(plugin.as_bytes()).into_owned();
            refused(format!("logging in by {name}: {e}"))
        })?;
        // One byte asks for the key of the server.
        let asks = response.data().is_some_and(|data| data.len() == 1)
            && matches!(plugin, AuthPlugin::CachingSha2Password | AuthPlugin::Sha256Password);
        if asks && !address.asks_for_key {
            let message = "the server has to be asked for its key, which AllowPublicKeyRetrieval=false forbids; encrypt the \
                           connection (SslMode=Required)";
            return Err(refused(message));
        }
        Ok(response.data().map(<[u8]>::to_vec))
    }
}

fn unknown_plugin(plugin: &AuthPlugin<'_>) -> DbError {
    let name = String::from_utf8_lossy(plugin.as_bytes()).into_owned();
    let message = format!("the server asks for a way of logging in ({name}) that this build does not have");
    DbError { source: SOURCE.into(), ..DbError::unsupported(message) }
}
