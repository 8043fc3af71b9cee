//! Decompression that cannot be blown up: bounded output, bounded ratio, one encoding. Pure.

use std::io::{Error, Result as IoResult, Write};

use flate2::write::{DeflateDecoder, GzDecoder, ZlibDecoder};

/// Output per byte of input, once the output is no longer small.
const MAX_RATIO: usize = 100;
const SMALL: usize = 64 * 1_024;
/// The decoder's own buffer.
const BROTLI_BUFFER: usize = 4_096;

/// Why a body cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    TooLarge,
    Garbage,
}

/// Output that stops growing at its cap.
struct Capped {
    out: Vec<u8>,
    cap: usize,
    full: bool,
}

impl Write for Capped {
    fn write(&mut self, data: &[u8]) -> IoResult<usize> {
        if self.out.len() + data.len() > self.cap {
            self.full = true;
            return Err(Error::other("full"));
        }
        self.out.extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

enum Decoder {
    Plain(Capped),
    Gzip(Box<GzDecoder<Capped>>),
    Zlib(Box<ZlibDecoder<Capped>>),
    Raw(Box<DeflateDecoder<Capped>>),
    Brotli(Box<brotli::DecompressorWriter<Capped>>),
    /// `deflate` is zlib by the standard and raw by habit: the first bytes tell.
    Undecided(Capped),
}

/// Takes a body in pieces and gives it back decoded.
pub(crate) struct Inflater {
    decoder: Option<Decoder>,
    cap: usize,
    taken: usize,
    head: Vec<u8>,
    brotli: bool,
}

impl Inflater {
    /// `encoding` is the `Content-Encoding` value. Several encodings on top of each other are refused.
    pub(super) fn new(encoding: Option<&str>, cap: usize) -> Result<Self, Broken> {
        let capped = Capped { out: Vec::new(), cap, full: false };
        let encoding = encoding.map(str::trim).unwrap_or_default().to_ascii_lowercase();
        let brotli = encoding == "br";
        let decoder = match encoding.as_str() {
            "" | "identity" => Decoder::Plain(capped),
            "gzip" | "x-gzip" => Decoder::Gzip(Box::new(GzDecoder::new(capped))),
            "deflate" => Decoder::Undecided(capped),
            "br" => Decoder::Brotli(Box::new(brotli::DecompressorWriter::new(capped, BROTLI_BUFFER))),
            _ => return Err(Broken::Garbage),
        };
        Ok(Self { decoder: Some(decoder), cap, taken: 0, head: Vec::new(), brotli })
    }

    pub(super) fn push(&mut self, data: &[u8]) -> Result<(), Broken> {
        if data.is_empty() {
            return Ok(());
        }
        // A brotli stream with the "large window" mark asks the decoder for up to a gigabyte; no browser accepts it.
        if self.brotli && self.taken == 0 && data[0] & 0x7f == 0x11 {
            return Err(Broken::Garbage);
        }
        self.taken += data.len();
        if self.taken > self.cap {
            return Err(Broken::TooLarge);
        }
        let mut decoder = self.decoder.take().ok_or(Broken::Garbage)?;
        let joined;
        let mut data = data;
        if let Decoder::Undecided(capped) = decoder {
            self.head.extend_from_slice(data);
            if self.head.len() < 2 {
                self.decoder = Some(Decoder::Undecided(capped));
                return Ok(());
            }
            let zlib = self.head[0] & 0x0f == 8 && (u16::from(self.head[0]) << 8 | u16::from(self.head[1])).is_multiple_of(31);
            decoder =
                if zlib { Decoder::Zlib(Box::new(ZlibDecoder::new(capped))) } else { Decoder::Raw(Box::new(DeflateDecoder::new(capped))) };
            joined = std::mem::take(&mut self.head);
            data = &joined;
        }
        // Small bites, so that a bomb is noticed before its output is made.
        for bite in data.chunks(1_024) {
            let written = match &mut decoder {
                Decoder::Plain(w) | Decoder::Undecided(w) => w.write_all(bite),
                Decoder::Gzip(w) => w.write_all(bite),
                Decoder::Zlib(w) => w.write_all(bite),
                Decoder::Raw(w) => w.write_all(bite),
                Decoder::Brotli(w) => w.write_all(bite),
            };
            let capped = capped(&decoder);
            let over = capped.out.len() > SMALL && capped.out.len() / MAX_RATIO > self.taken;
            match written {
                _ if capped.full || over => return Err(Broken::TooLarge),
                Ok(()) => {}
                Err(_) => return Err(Broken::Garbage),
            }
        }
        self.decoder = Some(decoder);
        Ok(())
    }

    /// The whole body; an incomplete stream is garbage.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, Broken> {
        let decoder = self.decoder.take().ok_or(Broken::Garbage)?;
        if self.taken == 0 {
            return Ok(Vec::new());
        }
        let cap = self.cap;
        let done = |capped: IoResult<Capped>| match capped {
            Ok(c) if c.full => Err(Broken::TooLarge),
            Ok(c) => Ok(c.out),
            Err(_) => Err(Broken::Garbage),
        };
        match decoder {
            Decoder::Plain(w) => done(Ok(w)),
            Decoder::Gzip(w) => done(w.finish()),
            Decoder::Zlib(w) => done(w.finish()),
            Decoder::Raw(w) => done(w.finish()),
            Decoder::Brotli(mut w) => {
                if w.close().is_err() {
                    return Err(if w.get_ref().full { Broken::TooLarge } else { Broken::Garbage });
                }
                let empty = Capped { out: Vec::new(), cap, full: false };
                done(Ok(std::mem::replace(w.get_mut(), empty)))
            }
            Decoder::Undecided(_) => Err(Broken::Garbage),
        }
    }
}

fn capped(decoder: &Decoder) -> &Capped {
    match decoder {
        Decoder::Plain(w) | Decoder::Undecided(w) => w,
        Decoder::Gzip(w) => w.get_ref(),
        Decoder::Zlib(w) => w.get_ref(),
        Decoder::Raw(w) => w.get_ref(),
        Decoder::Brotli(w) => w.get_ref(),
    }
}

#[cfg(test)]
#[path = "inflate_tests.rs"]
mod tests;
