//! Published ports: simulated engines accept connections on them and answer HTTP with who is asked, as long as the
//! container runs. One task keeps the sockets, in which every engine that has something to tell is entered.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::Method;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinHandle;

use super::house::{House, lock};
use crate::net::head::{self, Limits};
use crate::net::{self, Address, Stream};

/// Connections that are served at the same time; further ones wait.
const SERVED_MAX: usize = 64;
/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long a start waits until its ports are listened on.
const START_MAX: Duration = Duration::from_secs(2);
/// Pause after a connection could not be accepted.
const PAUSE: Duration = Duration::from_millis(100);

/// A port of a container that others can connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// On the node.
    pub outside: u16,
    /// In the container, such as `80/tcp`.
    pub inside: String,
    /// The ID of the container.
    pub container: String,
}

/// Which engines have something to tell about their ports.
pub(super) struct Ports {
    /// How many ports are listened on at most.
    most: usize,
    news: Mutex<BTreeSet<usize>>,
    entered: Notify,
}

impl Ports {
    pub(super) fn new(most: usize) -> Ports {
        Ports {
            most,
            news: Mutex::new(BTreeSet::new()),
            entered: Notify::new(),
        }
    }

    /// The ports of an engine are others than before.
    pub(super) fn enter(&self, engine: usize) {
        if self.most > 0 {
            lock(&self.news).insert(engine);
            self.entered.notify_one();
        }
    }
}

/// A port that is listened on.
struct Listening {
    published: Published,
    task: JoinHandle<()>,
}

/// Listens wherever containers publish ports, until the end.
pub(super) async fn keep(house: Arc<House>) {
    let mut listening: BTreeMap<(usize, u16), Listening> = BTreeMap::new();
    let served = Arc::new(Semaphore::new(SERVED_MAX));
    let mut is_full = false;
    loop {
        tokio::select! {
            () = house.stop.cancelled() => break,
            () = house.ports.entered.notified() => {}
        }
        let news = std::mem::take(&mut *lock(&house.ports.news));
        for number in news {
            let engine = &house.engines[number];
            let (changes, wanted) = engine.with(&house, number, |model| (model.port_changes(), model.published()));
            let own = (number, 0)..=(number, u16::MAX);
            let is_over = |listening: &Listening| !wanted.contains(&listening.published);
            let over = listening.range(own).filter(|(_, listening)| is_over(listening));
            let over: Vec<(usize, u16)> = over.map(|(key, _)| *key).collect();
            for key in over {
                if let Some(Listening { task, .. }) = listening.remove(&key) {
                    task.abort();
                    // Only then is the address free.
                    let _ = task.await;
                }
            }
            for published in wanted {
                let key = (number, published.outside);
                let Some(address) = host(&engine.address) else { break };
                if listening.contains_key(&key) {
                    continue;
                }
                if listening.len() >= house.ports.most || house.is_crowded() {
                    if !std::mem::replace(&mut is_full, true) {
                        tracing::warn!(
                            "{} published ports are listened on, and no more will be at a time: see --published-ports",
                            listening.len()
                        );
                    }
                    break;
                }
                match TcpListener::bind(SocketAddr::new(address, published.outside)).await {
                    Ok(socket) => {
                        let (house, served) = (Arc::clone(&house), Arc::clone(&served));
                        let task = tokio::spawn(accept(house, number, published.clone(), socket, served));
                        listening.insert(key, Listening { published, task });
                    }
                    Err(error) => tracing::warn!(
                        "Nobody can connect to the published port {address}:{}: {error}",
                        published.outside
                    ),
                }
            }
            engine.ports_settled(changes);
        }
    }
    for Listening { task, .. } in listening.into_values() {
        task.abort();
    }
}

/// The address of the node of an engine that listens there: its own, never another of the machine.
fn host(address: &Address) -> Option<IpAddr> {
    match address {
        Address::Tcp(address) => address.parse::<SocketAddr>().ok().map(|address| address.ip()),
        Address::Unix(_) => None,
    }
}

/// Waits until the ports that an engine's containers publish now are listened on.
pub(super) async fn settled(house: &House, number: usize) {
    if house.ports.most == 0 {
        return;
    }
    let engine = &house.engines[number];
    let changes = engine.with(house, number, |model| model.port_changes());
    let _ = tokio::time::timeout(START_MAX, engine.until_ports_settled(changes)).await;
}

async fn accept(house: Arc<House>, number: usize, published: Published, socket: TcpListener, served: Arc<Semaphore>) {
    let _counted = house.count_connection();
    // The connections end with the port.
    let mut connections = tokio::task::JoinSet::new();
    loop {
        tokio::select! {
            accepted = socket.accept() => match accepted {
                Ok((stream, _)) => {
                    // The semaphore is never closed.
                    let Ok(permit) = Arc::clone(&served).acquire_owned().await else {
                        return;
                    };
                    let (house, published) = (Arc::clone(&house), published.clone());
                    connections.spawn(async move {
                        let _permit = permit;
                        let _counted = house.count_connection();
                        // Clients come and go.
                        let _ = tokio::time::timeout(PATIENCE, serve(&house, number, &published, stream)).await;
                    });
                }
                Err(_) => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Answers one request with who was asked; whoever speaks something else than HTTP is let go.
async fn serve(house: &House, number: usize, published: &Published, stream: TcpStream) -> std::io::Result<()> {
    let mut stream = Stream::new(stream);
    let limits = Limits {
        patience: PATIENCE,
        ..Limits::default()
    };
    let Ok(head) = head::read(&mut stream, limits).await else {
        return Ok(());
    };
    let asked = house.engines[number].with(house, number, |model| model.describe(published));
    // It has stopped meanwhile.
    let Some(asked) = asked else { return Ok(()) };
    let length = asked.len();
    let body = if head.method == Method::HEAD { "" } else { &asked };
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(answer.as_bytes()).await?;
    net::part(&mut stream).await;
    Ok(())
}
