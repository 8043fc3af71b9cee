//! The syntax that a URL must have before anything is looked up: rules 1 and 2 of the egress checks. An address in any
//! spelling is refused, never normalised: the HTTP client skips the resolver for literals. Pure.

use url::{Host, Url};

/// Longest URL, in bytes.
pub const MAX_URL: usize = 2_048;

/// Why a URL's text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlRefused {
    #[error("the URL is longer than 2048 bytes")]
    Long,
    #[error("the URL holds a space, a control character or a backslash")]
    Characters,
    #[error("the URL cannot be parsed")]
    Unparsable,
    #[error("the scheme is not https")]
    Scheme,
    #[error("the URL holds a user name or password")]
    UserInfo,
    #[error("the URL holds a fragment")]
    Fragment,
    #[error("the port is not allowed")]
    Port,
    #[error("the host is an address, not a name")]
    Literal,
    #[error("the host is no public DNS name")]
    HostName,
    #[error("the path holds a dot segment, an empty segment or an encoded slash")]
    Path,
    #[error("the host is not one that the manifest allows")]
    HostNotAllowed,
}

/// A URL that passed rules 1 and 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedUrl {
    pub url: Url,
    /// Lower case, ASCII (punycode where international).
    pub host: String,
    pub port: u16,
}

/// Names that never leave this machine or its network (RFC 6761, RFC 8375, RFC 6762, ICANN's `internal`).
const SPECIAL: &[&str] = &[
    "localhost",
    "local",
    "localdomain",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
    "onion",
    "invalid",
    "test",
    "arpa",
    "alt",
];

/// Checks the text of a URL. `port` is the one that the manifest itself writes; 443 and none are always allowed.
pub fn check_url_text(text: &str, port: Option<u16>) -> Result<CheckedUrl, UrlRefused> {
    if text.len() > MAX_URL {
        return Err(UrlRefused::Long);
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\' || invisible(c)) {
        return Err(UrlRefused::Characters);
    }
    let scheme = text.split_once("://").ok_or(UrlRefused::Unparsable)?.0;
    if !scheme.eq_ignore_ascii_case("https") {
        return Err(UrlRefused::Scheme);
    }
    let rest = &text[scheme.len() + 3..];
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return Err(UrlRefused::UserInfo);
    }
    let url = Url::parse(text).map_err(|_| if literal(authority) { UrlRefused::Literal } else { UrlRefused::Unparsable })?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlRefused::UserInfo);
    }
    if url.fragment().is_some() {
        return Err(UrlRefused::Fragment);
    }
    let found = url.port_or_known_default().unwrap_or(0);
    // `host:` with nothing after the colon is accepted by parsers and written by nobody honest.
    if authority.ends_with(':') || (found != 443 && Some(found) != port) {
        return Err(UrlRefused::Port);
    }
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => return Err(UrlRefused::Literal),
        None => return Err(UrlRefused::HostName),
    };
    check_name(&host, authority.rsplit_once(':').filter(|(_, p)| p.bytes().all(|b| b.is_ascii_digit())).map_or(authority, |(h, _)| h))?;
    check_path(url.path(), rest)?;
    Ok(CheckedUrl { url, host, port: found })
}

/// A public DNS name, in the same labels as it was written.
fn check_name(host: &str, written: &str) -> Result<(), UrlRefused> {
    let labels: Vec<&str> = host.split('.').collect();
    let raw: Vec<&str> = written.split('.').collect();
    if host.len() > 253 || labels.len() < 2 || raw.len() != labels.len() || written.contains('%') {
        return Err(UrlRefused::HostName);
    }
    for (label, raw) in labels.iter().zip(&raw) {
        // Full-width digits and other look-alikes that fold to plain ASCII are tricks; a real international label folds to `xn--`.
        if !super::is_label(label) || (!raw.is_ascii() && !label.starts_with("xn--")) {
            return Err(UrlRefused::HostName);
        }
    }
    let last = labels.last().copied().unwrap_or_default();
    if !last.bytes().any(|b| b.is_ascii_alphabetic()) || hexadecimal(last) {
        return Err(UrlRefused::Literal);
    }
    if SPECIAL.iter().any(|s| host == *s || host.strip_suffix(s).is_some_and(|h| h.ends_with('.'))) {
        return Err(UrlRefused::HostName);
    }
    Ok(())
}

fn hexadecimal(label: &str) -> bool {
    label.strip_prefix("0x").is_some_and(|h| h.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Looks like an address that the parser rejects altogether (`[::1%eth0]`, `256.1.1.1`).
fn literal(authority: &str) -> bool {
    authority.starts_with('[') || authority.bytes().all(|b| b.is_ascii_digit() || b == b'.' || b == b':' || b == b'x')
}

/// `parsed` has its dot segments resolved already, so `written` (from the host on) is looked at as well.
fn check_path(parsed: &str, written: &str) -> Result<(), UrlRefused> {
    let written = written.find(['/', '?', '#']).map_or("", |at| &written[at..]);
    let written = written.split(['?', '#']).next().unwrap_or_default();
    for path in [parsed, written] {
        let lower = path.to_ascii_lowercase();
        let folded = lower.replace("%2e", ".");
        if lower.contains("%2f") || lower.contains("%5c") || lower.contains("%00") || lower.contains("%25") {
            return Err(UrlRefused::Path);
        }
        if folded.contains("//") || folded.split('/').any(|s| s == "." || s == ".." || s.starts_with("..;") || s.starts_with(".;")) {
            return Err(UrlRefused::Path);
        }
    }
    Ok(())
}

/// Format characters that a reader cannot see (soft hyphen, zero width, direction marks): parsers drop them silently.
fn invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{180e}' | '\u{fe00}'..='\u{fe0f}')
}
