//! What became of a delivery, in words for the merchant who looks after the endpoint. No word here holds a secret, the URL's path or
//! query, or an address of this network.

use std::error::Error;
use std::fmt::Write;
use std::io;

use crate::echo::Echo;
use crate::net::{ResolveError, ResolveRefused};

/// Bytes of an answer that are kept.
const KEPT: usize = 512;

/// No answer.
pub(super) enum Failed {
    /// It was not sent, and would not be as things stand.
    Refused(String),
    Unanswered(String),
}

/// Reads the client's error without ever printing it: its text holds the URL.
pub(super) fn failed(error: &reqwest::Error, host: &str) -> Failed {
    let mut source: Option<&(dyn Error + 'static)> = error.source();
    let mut found = None;
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<ResolveRefused>() {
            return unresolved(refused, host);
        }
        if let Some(cause) = cause.downcast_ref::<io::Error>() {
            found = Some(connection(cause));
        }
        source = cause.source();
    }
    let why = match found {
        _ if error.is_timeout() && error.is_connect() => "no connection was made in time",
        _ if error.is_timeout() => super::LATE,
        Some(why) => why,
        None if error.is_connect() => "no connection could be made",
        None => "it broke off, or answered with something that is no HTTP",
    };
    Failed::Unanswered(format!("{host}: {why}"))
}

fn unresolved(refused: &ResolveRefused, host: &str) -> Failed {
    match refused {
        // Which address it is would tell a stranger about this network.
        ResolveRefused::Address(_) => Failed::Refused(format!("{host} has an address that is not on the public internet")),
        ResolveRefused::Lookup(ResolveError::NotFound) => Failed::Unanswered(format!("{host} does not exist, or has no address")),
        ResolveRefused::Lookup(ResolveError::Failed(_)) => Failed::Unanswered(format!("{host} could not be looked up")),
        ResolveRefused::TimedOut => Failed::Unanswered(format!("{host} was not looked up in time")),
    }
}

fn connection(error: &io::Error) -> &'static str {
    if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return match tls {
            rustls::Error::InvalidCertificate(rustls::CertificateError::Expired | rustls::CertificateError::ExpiredContext { .. }) => {
                "its TLS certificate has expired"
            }
            rustls::Error::InvalidCertificate(
                rustls::CertificateError::NotValidForName | rustls::CertificateError::NotValidForNameContext { .. },
            ) => "its TLS certificate is for another name",
            rustls::Error::InvalidCertificate(_) => "its TLS certificate is not trusted",
            _ => "no TLS connection could be made",
        };
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "it refused the connection",
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::UnexpectedEof => "it closed the connection",
        io::ErrorKind::TimedOut => "no connection was made in time",
        _ => "no connection could be made",
    }
}

/// The first bytes of an answer as text that can be shown: echoes blanked, control characters and invisible ones escaped.
pub(super) fn excerpt(mut body: Vec<u8>, echo: impl FnOnce() -> Echo) -> String {
    if body.is_empty() {
        return String::new();
    }
    echo().blank(&mut body);
    let cut = body.get(..KEPT).unwrap_or(&body);
    let mut shown = String::with_capacity(cut.len());
    let mut chunks = cut.utf8_chunks().peekable();
    while let Some(chunk) = chunks.next() {
        chunk.valid().chars().for_each(|c| push(&mut shown, c));
        // A character that the cut has halved is left out.
        let halved = chunks.peek().is_none() && cut.len() < body.len();
        if !chunk.invalid().is_empty() && !halved {
            shown.push(char::REPLACEMENT_CHARACTER);
        }
    }
    shown
}

fn push(shown: &mut String, c: char) {
    if c.is_control() || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}') {
        let written = write!(shown, "{}", c.escape_default());
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
    } else {
        shown.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_certificate_is_said() {
        let words =
            |e: rustls::CertificateError| connection(&io::Error::new(io::ErrorKind::InvalidData, rustls::Error::InvalidCertificate(e)));
        assert_eq!(words(rustls::CertificateError::Expired), "its TLS certificate has expired");
        assert_eq!(words(rustls::CertificateError::NotValidForName), "its TLS certificate is for another name");
        assert_eq!(words(rustls::CertificateError::UnknownIssuer), "its TLS certificate is not trusted");
        assert_eq!(connection(&io::Error::other(rustls::Error::DecryptError)), "no TLS connection could be made");
    }

    fn plain(body: &[u8]) -> String {
        excerpt(body.to_vec(), || Echo::new(std::iter::empty()))
    }

    #[test]
    fn an_answer_is_cut_between_characters_and_nothing_in_it_is_hidden() {
        assert_eq!(plain(b"ok\r\n\x1b[31m"), "ok\\r\\n\\u{1b}[31m");
        assert_eq!(plain("a\u{202e}b".as_bytes()), "a\\u{202e}b");
        assert_eq!(plain(b"a\xffb"), "a\u{fffd}b");
        assert_eq!(plain(&[b'x'; 600]).len(), 512);
        let long = format!("x{}", "é".repeat(400));
        assert_eq!(plain(long.as_bytes()), format!("x{}", "é".repeat(255)));
    }

    #[test]
    fn a_secret_is_blanked_before_the_cut_can_halve_it() {
        let secret = b"c2VjcmV0LW9mLXRoZS1lbmRwb2ludA";
        let body = [vec![b'x'; 500], secret.to_vec()].concat();
        let shown = excerpt(body, || Echo::new(std::iter::once(secret.as_slice())));
        assert_eq!(shown, format!("{}[redacted]", "x".repeat(500)));
    }
}
