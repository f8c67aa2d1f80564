//! `holdfast health`: asks a service that runs on this machine how it is.

use std::{
    io::{Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    path::PathBuf,
    time::Duration,
};

use clap::ValueEnum;

use super::{Exit, configuration};

/// Ask the service that runs here by this configuration whether it is ready; it says why not.
///
/// It needs no shell and no other program, so that a container can be asked too.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The configuration, for its `[metrics] listen`
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// What is asked
    #[arg(value_enum, default_value_t = Page::Ready)]
    page: Page,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Page {
    /// Does it decide?
    Ready,
    /// Does it answer at all?
    Live,
    /// Are its start-up checks through?
    Startup,
}

const PATIENCE: Duration = Duration::from_secs(3);

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Exit> {
    let address = here(configuration::load(&args.config)?.service.metrics);
    let path = match args.page {
        Page::Ready => "/readyz",
        Page::Live => "/livez",
        Page::Startup => "/startupz",
    };
    let (status, body) = ask(address, path).map_err(|error| {
        Exit::Unavailable(format!("http://{address}{path} does not answer: {error}"))
    })?;
    match status {
        200 => Ok(writeln!(std::io::stdout(), "{body}")?),
        _ => Err(Exit::Unavailable(body)),
    }
}

/// Where what listens at an address is reached from this machine.
fn here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

fn ask(address: SocketAddr, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
    let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
    status.zip(body).ok_or_else(|| std::io::Error::other("that is no answer of a service's"))
}
