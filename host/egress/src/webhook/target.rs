//! Whether a merchant's URL may be called, by its text: rules 1 and 2 of the egress checks, in words for the merchant. Pure.

use url::Url;

use crate::net::{MAX_URL, UrlRefused, check_url_text};

/// A URL that may be sent to if the addresses behind its name may. No `Debug`: its path may hold a token of the merchant's.
pub(super) struct Target {
    pub url: Url,
    pub host: String,
    /// A loopback server of a developer's.
    pub plain: bool,
}

/// `loopback` also allows `http://127.0.0.1:PORT/...` and `http://localhost:PORT/...`.
pub(super) fn target(text: &str, loopback: bool) -> Result<Target, &'static str> {
    match check_url_text(text, None) {
        Ok(checked) => Ok(Target { url: checked.url, host: checked.host, plain: false }),
        Err(UrlRefused::Scheme) if loopback => on_loopback(text).ok_or(words(UrlRefused::Scheme)),
        Err(refused) => Err(words(refused)),
    }
}

fn on_loopback(text: &str) -> Option<Target> {
    let rest = text.strip_prefix("http://").filter(|_| text.len() <= MAX_URL)?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let mut url = Url::parse(text).ok().filter(|url| url.fragment().is_none() && matches!(host, "127.0.0.1" | "localhost"))?;
    // The checked resolver knows no name of this machine.
    url.set_host(Some("127.0.0.1")).ok()?;
    Some(Target { url, host: "localhost".to_owned(), plain: true })
}

fn words(refused: UrlRefused) -> &'static str {
    match refused {
        UrlRefused::Long => "the URL is longer than 2048 bytes",
        UrlRefused::Characters => "the URL holds a space, a backslash or a character that cannot be seen",
        UrlRefused::Unparsable => "this is no URL: it must look like https://example.com/webhooks",
        UrlRefused::Scheme => "the URL must begin with https://",
        UrlRefused::UserInfo => "the URL must not hold a user name or a password",
        UrlRefused::Fragment => "the URL must not hold a fragment (#...)",
        UrlRefused::Port => "the URL must not name a port: webhooks go to port 443",
        UrlRefused::Literal => "the URL must name its host: an IP address is not allowed",
        UrlRefused::HostName | UrlRefused::HostNotAllowed => "the URL's host is no public name",
        UrlRefused::Path => "the path must not hold empty segments, dot segments or encoded slashes",
    }
}
