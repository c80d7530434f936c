//! The way to the relay: name, TCP, TLS with the pinned certificate, WebSocket.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use conclave_identity::{RelayAddress, RelayTrustError, read_relay_level};
use conclave_model::{Level, wire::signal};
use rustls::{AlertDescription, ClientConfig};
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{self, protocol::WebSocketConfig},
};

/// The most that one step of the way may take, so that a person is told within seconds.
const STEP: Duration = Duration::from_secs(5);

/// The most that one of several addresses of a relay may take before the next is tried.
const ADDRESS: Duration = Duration::from_millis(2500);

/// A step of the way to a relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The name is looked up.
    Name,
    /// TCP connects.
    Connection,
    /// TLS proves both sides.
    Handshake,
    /// The WebSocket opens.
    Opening,
}

/// Why there is no connection to the relay.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The relay's name has no address.
    #[error("the relay's name {host} is not known here; check the network connection")]
    Resolve {
        /// The name.
        host: String,
    },
    /// Nothing listens there.
    #[error("the relay {relay} is not running: nothing answers at this port")]
    Refused {
        /// As `host:port`.
        relay: String,
    },
    /// There is no way there.
    #[error("the relay {relay} cannot be reached: {}", describe(*.kind))]
    Unreachable {
        /// As `host:port`.
        relay: String,
        /// What the system said.
        kind: io::ErrorKind,
    },
    /// It took too long.
    #[error("the relay {relay} does not answer ({})", .step.words())]
    TimedOut {
        /// As `host:port`.
        relay: String,
        /// Which part took too long.
        step: Step,
    },
    /// The certificate is not the one that the invitation pins. Nothing was sent.
    #[error("the server at {relay} is not the relay that the invitation names: {reason}")]
    WrongRelay {
        /// As `host:port`.
        relay: String,
        /// What did not fit.
        reason: String,
    },
    /// The relay does not take the own certificate.
    #[error("the relay {relay} does not accept the credential: {reason}")]
    CredentialRefused {
        /// As `host:port`.
        relay: String,
        /// The TLS alert (RFC 8446 section 6.2).
        reason: String,
    },
    /// TLS failed otherwise.
    #[error("no secure connection to the relay {relay}: {reason}")]
    Tls {
        /// As `host:port`.
        relay: String,
        /// What rustls said.
        reason: String,
    },
    /// What answers is no Conclave relay.
    #[error("what answers at {relay} is no Conclave relay: {reason}")]
    NotARelay {
        /// As `host:port`.
        relay: String,
        /// What it answered.
        reason: String,
    },
    /// The relay ended the connection.
    #[error("the relay closed the connection")]
    Closed,
    /// The connection broke.
    #[error("the connection to the relay broke: {}", describe(*.0))]
    Broken(io::ErrorKind),
    /// Nothing came for this long.
    #[error("the relay has been silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// The relay sent what is no message.
    #[error("the relay sent garbage")]
    Garbage,
    /// The network takes signalling messages more slowly than they arise.
    #[error("the connection to the relay is stuck")]
    Stuck,
    /// No UDP socket.
    #[error("no UDP socket for media: {}", describe(*.0))]
    Socket(io::ErrorKind),
}

/// A signalling connection.
pub(crate) struct Link {
    pub(crate) socket: WebSocketStream<TlsStream<TcpStream>>,
    /// The local address from which the relay was reached.
    pub(crate) local: IpAddr,
    /// The relay's address that answered.
    pub(crate) remote: SocketAddr,
    /// The highest level that the relay is certified for.
    pub(crate) certified: Level,
}

/// How a relay is written for people.
pub(crate) fn relay_name(relay: &RelayAddress) -> String {
    if relay.host.contains(':') {
        format!("[{}]:{}", relay.host, relay.port)
    } else {
        format!("{}:{}", relay.host, relay.port)
    }
}

/// Connects to a relay. Every step has its own limit of time.
pub(crate) async fn dial(address: &RelayAddress, tls: Arc<ClientConfig>) -> Result<Link, ConnectError> {
    let relay = relay_name(address);
    let too_long = |step| ConnectError::TimedOut { relay: relay.clone(), step };
    let addresses = timeout(STEP, resolve(address)).await.map_err(|_| too_long(Step::Name))??;
    let stream = connect_any(&addresses, &relay).await?;
    // Small signalling messages must not wait for each other. A socket without the option is only slower.
    let _ = stream.set_nodelay(true);
    let local = stream.local_addr().map_err(|error| ConnectError::Broken(error.kind()))?.ip();
    let remote = stream.peer_addr().map_err(|error| ConnectError::Broken(error.kind()))?;
    let name =
        ServerName::try_from(address.host.clone()).map_err(|_| ConnectError::Resolve { host: address.host.clone() })?;
    let stream = timeout(STEP, TlsConnector::from(tls).connect(name, stream))
        .await
        .map_err(|_| too_long(Step::Handshake))?
        .map_err(|error| from_io(&error, &relay))?;
    let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    let certified = certificate.and_then(|certificate| read_relay_level(certificate).ok()).unwrap_or_default();
    let config = WebSocketConfig::default()
        .max_message_size(Some(signal::MAX_MESSAGE))
        .max_frame_size(Some(signal::MAX_MESSAGE));
    let request = format!("wss://{relay}/");
    let (socket, _) = timeout(STEP, client_async_with_config(request, stream, Some(config)))
        .await
        .map_err(|_| too_long(Step::Opening))?
        .map_err(|error| from_websocket(&error, &relay))?;
    Ok(Link { socket, local, remote, certified })
}

async fn resolve(address: &RelayAddress) -> Result<Vec<SocketAddr>, ConnectError> {
    let unknown = || ConnectError::Resolve { host: address.host.clone() };
    let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await.map_err(|_| unknown())?;
    let found: Vec<SocketAddr> = found.collect();
    if found.is_empty() { Err(unknown()) } else { Ok(found) }
}

/// Tries the addresses one after the other; the last failure counts.
async fn connect_any(addresses: &[SocketAddr], relay: &str) -> Result<TcpStream, ConnectError> {
    let mut failure = ConnectError::TimedOut { relay: relay.to_owned(), step: Step::Connection };
    for address in addresses {
        match timeout(if addresses.len() > 1 { ADDRESS } else { STEP }, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
                failure = ConnectError::Refused { relay: relay.to_owned() };
            }
            Ok(Err(error)) => failure = ConnectError::Unreachable { relay: relay.to_owned(), kind: error.kind() },
            Err(_) => {}
        }
    }
    Err(failure)
}

/// What a WebSocket error says about the connection.
pub(crate) fn from_websocket(error: &tungstenite::Error, relay: &str) -> ConnectError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest are protocol errors of whatever answers there")]
    match error {
        tungstenite::Error::Io(error) => from_io(error, relay),
        tungstenite::Error::ConnectionClosed | tungstenite::Error::AlreadyClosed => ConnectError::Closed,
        other => ConnectError::NotARelay { relay: relay.to_owned(), reason: other.to_string() },
    }
}

/// What an I/O error of a TLS stream says: rustls hides its own errors in there.
fn from_io(error: &io::Error, relay: &str) -> ConnectError {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(inner) => from_tls(inner, relay),
        None if error.kind() == io::ErrorKind::UnexpectedEof => ConnectError::Closed,
        None => ConnectError::Broken(error.kind()),
    }
}

fn from_tls(error: &rustls::Error, relay: &str) -> ConnectError {
    let relay = relay.to_owned();
    if let Some(trust) = RelayTrustError::of(error) {
        return ConnectError::WrongRelay { relay, reason: trust.to_string() };
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest has no words of its own")]
    match error {
        rustls::Error::InvalidCertificate(error) => ConnectError::WrongRelay { relay, reason: error.to_string() },
        rustls::Error::AlertReceived(alert) if is_about_credential(*alert) => {
            ConnectError::CredentialRefused { relay, reason: format!("{alert:?}") }
        }
        rustls::Error::InvalidMessage(_) => {
            ConnectError::NotARelay { relay, reason: "it does not speak TLS".to_owned() }
        }
        other => ConnectError::Tls { relay, reason: other.to_string() },
    }
}

/// The alerts with which a server turns a client's certificate down.
fn is_about_credential(alert: AlertDescription) -> bool {
    [
        AlertDescription::BadCertificate,
        AlertDescription::UnsupportedCertificate,
        AlertDescription::CertificateRevoked,
        AlertDescription::CertificateExpired,
        AlertDescription::CertificateUnknown,
        AlertDescription::CertificateRequired,
        AlertDescription::UnknownCA,
        AlertDescription::AccessDenied,
    ]
    .contains(&alert)
}

/// Words for what the system said.
fn describe(kind: io::ErrorKind) -> String {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the system's own words are good enough for the rest")]
    match kind {
        io::ErrorKind::NetworkUnreachable | io::ErrorKind::NetworkDown => "there is no network".into(),
        io::ErrorKind::HostUnreachable => "no route leads there".into(),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => "it was cut off".into(),
        io::ErrorKind::PermissionDenied => "this machine's firewall forbids it".into(),
        other => other.to_string(),
    }
}

impl Step {
    fn words(self) -> &'static str {
        match self {
            Self::Name => "looking up its name took too long",
            Self::Connection => "connecting took too long",
            Self::Handshake => "the secure handshake took too long",
            Self::Opening => "opening the connection took too long",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rustls::CertificateError;

    use super::*;

    fn tls_failure(error: rustls::Error) -> ConnectError {
        from_io(&io::Error::new(io::ErrorKind::InvalidData, error), "relay.example:4443")
    }

    #[test]
    fn tls_failures_name_the_guilty() {
        let wrong = tls_failure(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer));
        assert!(wrong.to_string().contains("is not the relay that the invitation names"), "{wrong}");
        let refused = tls_failure(rustls::Error::AlertReceived(AlertDescription::CertificateExpired));
        assert!(matches!(refused, ConnectError::CredentialRefused { .. }), "{refused}");
        assert_eq!(from_io(&io::ErrorKind::UnexpectedEof.into(), "r:1"), ConnectError::Closed);
    }

    #[test]
    fn a_port_that_nobody_listens_at_is_refused() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let error = runtime.block_on(connect_any(&[free], "r:1")).unwrap_err();
        assert_eq!(error, ConnectError::Refused { relay: "r:1".into() });
    }
}
