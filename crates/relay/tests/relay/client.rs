//! A scripted client, and the relay that it speaks to.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use conclave_identity::{
    Holder,
    issue::{Rehearsal, RehearsalSpec, Validity},
};
use conclave_model::{
    LeafRef, Level,
    wire::signal::{self, FromRelay, Hello, Joined, ToRelay, VERSION},
};
use conclave_relay::{Parts, Running, start};
use conclave_transport::{Output, Path, Slot};
use futures_util::{SinkExt, StreamExt};
use rustls_pki_types::ServerName;
use tokio::net::{TcpStream, UdpSocket};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::Message};

/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) fn wall() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A meeting of so many people, and a relay for it.
pub(crate) struct Scene {
    pub(crate) rehearsal: Rehearsal,
    pub(crate) relay: Running,
}

/// As long as the certification authority of a rehearsal is valid; not a second longer.
pub(crate) fn validity(rehearsal: &Rehearsal) -> Validity {
    let content = rehearsal.invitation.content();
    Validity { not_before: content.not_before, not_after: content.not_after }
}

pub(crate) fn parts(rehearsal: &Rehearsal) -> Parts {
    Parts {
        listen: "127.0.0.1:0".parse().unwrap(),
        media: None,
        public: Vec::new(),
        chain: rehearsal.relay.chain().to_vec(),
        key: rehearsal.relay.private_key(),
        roots: vec![rehearsal.authority.root().clone()],
        revocations: Vec::new(),
        max_level: Level::Restricted,
        max_participants: 20,
        max_participants_per_meeting: 10,
        audit: None,
    }
}

impl Scene {
    pub(crate) fn new(people: usize) -> Self {
        Self::with(people, |_| {})
    }

    pub(crate) fn with(people: usize, change: impl FnOnce(&mut Parts)) -> Self {
        let rehearsal = Rehearsal::new(&RehearsalSpec::new(people, wall())).unwrap();
        let mut parts = parts(&rehearsal);
        change(&mut parts);
        Self { relay: start(parts).unwrap(), rehearsal }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.relay.address()
    }

    pub(crate) fn holder(&self, person: usize) -> &Holder {
        &self.rehearsal.holders[person]
    }

    /// A client that said hello with this person's certificate.
    pub(crate) async fn hello(&self, person: usize) -> Client {
        self.hello_as(self.holder(person)).await
    }

    pub(crate) async fn hello_as(&self, holder: &Holder) -> Client {
        let mut client = self.connect(holder).await.unwrap();
        let hello = client.make_hello(&self.rehearsal);
        client.say(&ToRelay::Hello(hello)).await;
        client
    }

    /// TLS and WebSocket, nothing said yet.
    pub(crate) async fn connect(&self, holder: &Holder) -> Result<Client, String> {
        let stream = TcpStream::connect(self.address()).await.unwrap();
        let socket = secure(stream, holder, &self.rehearsal).await?;
        let request = format!("wss://{}/", self.address());
        let (socket, _) = client_async(request, socket).await.map_err(|error| error.to_string())?;
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let mut path = Path::client(Instant::now());
        path.add_local_address(udp.local_addr().unwrap()).unwrap();
        Ok(Client { socket, udp, path, packets: Vec::new() })
    }
}

pub(crate) async fn secure(
    stream: TcpStream,
    holder: &Holder,
    rehearsal: &Rehearsal,
) -> Result<TlsStream<TcpStream>, String> {
    let config = holder.tls_config(&rehearsal.relay.pin()).unwrap();
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| error.to_string())
}

pub(crate) struct Client {
    pub(crate) socket: WebSocketStream<TlsStream<TcpStream>>,
    pub(crate) udp: UdpSocket,
    pub(crate) path: Path,
    pub(crate) packets: Vec<(Slot, Vec<u8>)>,
}

impl Client {
    pub(crate) fn make_hello(&mut self, rehearsal: &Rehearsal) -> Hello {
        let transport = self.path.local();
        let mut leaf = [0; 16];
        leaf.copy_from_slice(&transport.fingerprint[..16]);
        Hello {
            version: VERSION,
            meeting: rehearsal.invitation.content().meeting,
            invitation: rehearsal.invitation.bytes().clone(),
            leaf: LeafRef(leaf),
            key_package: Bytes::from_static(b"key package"),
            transport,
            take_over: true,
        }
    }

    pub(crate) async fn say(&mut self, message: &ToRelay) {
        self.say_bytes(signal::encode(message)).await;
    }

    pub(crate) async fn say_bytes(&mut self, bytes: Bytes) {
        self.socket.send(Message::Binary(bytes)).await.unwrap();
    }

    /// The next message of the relay; `None` where it ended the connection.
    pub(crate) async fn hear(&mut self) -> Option<FromRelay> {
        loop {
            let next = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("the relay answers in time");
            match next {
                Some(Ok(Message::Binary(bytes))) => return Some(signal::decode_from_relay(&bytes).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Waits to be taken in, and begins to connect the media path.
    pub(crate) async fn joined(&mut self) -> Joined {
        let Some(FromRelay::Joined(joined)) = self.hear().await else { panic!("not taken in") };
        self.path.connect(&joined.transport, Instant::now()).unwrap();
        joined
    }

    /// Lets the media path work for so long, or until `done`.
    pub(crate) async fn media(&mut self, time: Duration, done: impl Fn(&Self) -> bool) -> bool {
        let end = Instant::now() + time;
        let mut buffer = [0; 2048];
        while Instant::now() < end {
            let wake = self.drain().await;
            if done(self) {
                return true;
            }
            let until = wake.min(end).into();
            tokio::select! {
                received = self.udp.recv_from(&mut buffer) => {
                    let (length, from) = received.unwrap();
                    let to = self.udp.local_addr().unwrap();
                    let _ = self.path.handle_datagram(from, to, &buffer[..length], Instant::now());
                }
                () = tokio::time::sleep_until(until) => self.path.handle_timeout(Instant::now()),
            }
        }
        done(self)
    }

    async fn drain(&mut self) -> Instant {
        loop {
            match self.path.poll_output() {
                Output::Transmit(transmit) => {
                    self.udp.send_to(&transmit.bytes, transmit.to).await.unwrap();
                }
                Output::Packet { slot, payload } => self.packets.push((slot, payload.to_vec())),
                Output::Event(_) => {}
                Output::Wake(at) => return at,
            }
        }
    }
}
