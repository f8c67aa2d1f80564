//! `holdfast generate`: synthetic traffic with labelled fraud in it.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use crate::{
    config::duration,
    io::files,
    traffic::{Settings, Traffic},
};

use super::Exit;

mod live;

/// Generate synthetic traffic: ordinary buyers, heavy but honest ones, card testing, takeovers,
/// answers, late and repeated events. Fraud is labelled in `attributes` (is_fraud, story). The same
/// arguments give the same bytes on every machine.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How many events, repeated ones included
    #[arg(short = 'n', long, default_value_t = 24_000)]
    events: u64,
    /// Another seed gives another log of the same kind
    #[arg(short, long, default_value_t = 1)]
    seed: u64,
    /// How much event time they cover: 12h, 3d, ...
    #[arg(long, value_name = "TIME", default_value = "3d", value_parser = span)]
    span: i64,
    /// How many accounts; else as many as would make them in that time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(20..=10_000_000))]
    accounts: Option<u32>,
    /// The first event time, in epoch ms; else Monday, 5 January 2026, in Tokyo
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(i64).range(0..=4_102_444_800_000))]
    start: Option<i64>,
    /// The share of labelled fraud among the events, 0 to 0.5
    #[arg(long, value_name = "SHARE", default_value_t = 0.02, value_parser = share)]
    fraud: f64,
    /// In order of time, without late or repeated events
    #[arg(long)]
    tidy: bool,
    /// Where they go; `-` is standard output, .gz and .zst are compressed
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    output: PathBuf,
    /// Write them into the input topic of this configuration instead, from now on, each at its time
    #[arg(long, value_name = "CONFIG", conflicts_with_all = ["output", "start"])]
    into: Option<PathBuf>,
}

/// Runs the command.
pub fn run(args: &Args) -> Result<(), Exit> {
    let settings = args.settings();
    if let Some(config) = &args.into {
        return live::run(settings, config);
    }
    let mut traffic = Traffic::new(settings);
    let mut out = args.create()?;
    let mut line = String::new();
    loop {
        line.clear();
        if traffic.next_into(&mut line).is_none() {
            break;
        }
        line.push('\n');
        out.write_all(line.as_bytes())?;
    }
    Ok(out.finish()?)
}

impl Args {
    fn settings(&self) -> Settings {
        let natural = Settings::natural(self.events, self.span);
        Settings {
            seed: self.seed,
            start_ms: self.start.unwrap_or(natural.start_ms),
            accounts: self.accounts.unwrap_or(natural.accounts),
            fraud_share: self.fraud,
            delays: !self.tidy,
            ..natural
        }
    }

    fn create(&self) -> Result<Sink, Exit> {
        if files::is_stdin(&self.output) {
            return Ok(Sink::Plain(BufWriter::new(Box::new(io::stdout()))));
        }
        let file = File::create(&self.output).map_err(|error| {
            let path = self.output.display();
            Exit::Unavailable(format!("the output {path} cannot be made: {error}"))
        })?;
        let file = BufWriter::new(file);
        Ok(match self.output.extension().and_then(|ending| ending.to_str()) {
            Some("gz") => {
                Sink::Gz(flate2::write::GzEncoder::new(file, flate2::Compression::default()))
            }
            Some("zst") => Sink::Zst(zstd::Encoder::new(file, zstd::DEFAULT_COMPRESSION_LEVEL)?),
            _ => Sink::Plain(BufWriter::new(Box::new(file))),
        })
    }
}

/// A file, compressed as its name says.
enum Sink {
    Plain(BufWriter<Box<dyn Write>>),
    Gz(flate2::write::GzEncoder<BufWriter<File>>),
    Zst(zstd::Encoder<'static, BufWriter<File>>),
}

impl Sink {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Sink::Plain(out) => out.write_all(bytes),
            Sink::Gz(out) => out.write_all(bytes),
            Sink::Zst(out) => out.write_all(bytes),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Sink::Plain(mut out) => out.flush(),
            Sink::Gz(out) => out.finish()?.flush(),
            Sink::Zst(out) => out.finish()?.flush(),
        }
    }
}

fn span(text: &str) -> Result<i64, String> {
    let ms = duration::parse_ms(text)?;
    if ms < 3_600_000 { Err("at least an hour is needed".into()) } else { Ok(ms) }
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "a number from 0 to 0.5 is due".to_owned())?;
    if (0.0..=0.5).contains(&share) { Ok(share) } else { Err("it goes from 0 to 0.5".into()) }
}
