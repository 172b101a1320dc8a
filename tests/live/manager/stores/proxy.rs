//! A line between a client and a server that can be slow, or cut: then nothing arrives on either side, and nobody is
//! told.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::daemons::OWN_ADDRESS;

/// How often a line that is cut is looked at.
const LOOK: Duration = Duration::from_millis(20);

pub struct Line {
    pub port: u16,
    is_cut: Arc<AtomicBool>,
}

impl Line {
    /// To a server, from a port that the system chooses.
    pub fn to(server: &str) -> Line {
        Self::slow(server, Duration::ZERO)
    }

    /// One on which all that is said together takes so long, each way.
    pub fn slow(server: &str, delay: Duration) -> Line {
        let listener = TcpListener::bind((OWN_ADDRESS, 0)).expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let is_cut = Arc::new(AtomicBool::new(false));
        let (cut, server) = (Arc::clone(&is_cut), server.to_owned());
        // Ends with the laboratory.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (cut, server) = (Arc::clone(&cut), server.clone());
                thread::spawn(move || {
                    hold(&cut);
                    let Ok(server) = TcpStream::connect(&server) else {
                        return;
                    };
                    let ends = (client.try_clone(), server.try_clone());
                    let (Ok(client_too), Ok(server_too)) = ends else { return };
                    let back = Arc::clone(&cut);
                    thread::spawn(move || copy(server_too, client_too, &back, delay));
                    copy(client, server, &cut, delay);
                });
            }
        });
        Line { port, is_cut }
    }

    pub fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
    }

    pub fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

fn hold(cut: &AtomicBool) {
    while cut.load(Ordering::SeqCst) {
        thread::sleep(LOOK);
    }
}

fn copy(mut from: TcpStream, mut to: TcpStream, cut: &AtomicBool, delay: Duration) {
    let mut buffer = [0; 16 << 10];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        thread::sleep(delay);
        hold(cut);
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    to.shutdown(std::net::Shutdown::Both).ok();
}
