//! `oci://registry/repository:tag` and `oci://registry/repository@sha256:digest`. Nothing is assumed: no default registry, no `latest`.

use std::fmt;
use std::str::FromStr;

use crate::RegistryError;

const SCHEME: &str = "oci://";
/// Of `sha256:` and 64 hexadecimal digits.
const DIGEST: usize = 71;

/// Where a connector lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub(crate) inner: oci_client::Reference,
    registry: String,
    /// On this machine: spoken to without TLS.
    pub(crate) plain: bool,
}

impl Reference {
    /// It names something in a registry, not a file.
    pub fn is_meant(text: &str) -> bool {
        text.starts_with(SCHEME)
    }

    /// The registry's host, and its port if it was named.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    pub fn tag(&self) -> Option<&str> {
        if self.digest().is_some() { None } else { self.inner.tag() }
    }

    pub fn digest(&self) -> Option<&str> {
        self.inner.digest()
    }

    /// The same place by the digest of what lies there now, which no later push changes.
    pub(crate) fn pinned(&self, digest: &str) -> Self {
        Self { inner: self.inner.clone_with_digest(digest.to_owned()), registry: self.registry.clone(), plain: self.plain }
    }

    /// Where the manifest is read.
    pub(crate) fn manifest_url(&self) -> String {
        let scheme = if self.plain { "http" } else { "https" };
        let at = self.digest().or(self.inner.tag()).unwrap_or_default();
        format!("{scheme}://{}/v2/{}/manifests/{at}", self.inner.resolve_registry(), self.inner.repository())
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{SCHEME}{}/{}", self.registry, self.inner.repository())?;
        match (self.digest(), self.inner.tag()) {
            (Some(digest), _) => write!(out, "@{digest}"),
            (None, tag) => write!(out, ":{}", tag.unwrap_or_default()),
        }
    }
}

impl FromStr for Reference {
    type Err = RegistryError;

    fn from_str(text: &str) -> Result<Self, RegistryError> {
        let wrong = |why: &str| RegistryError::Reference { text: text.to_owned(), why: why.to_owned() };
        let rest = text.strip_prefix(SCHEME).ok_or_else(|| wrong("it does not begin with oci://"))?;
        let (registry, path) = rest.split_once('/').ok_or_else(|| wrong("it names no repository"))?;
        // What has neither dot nor port would be taken for a part of the repository's name.
        if registry != "localhost" && !registry.contains(['.', ':']) {
            return Err(wrong("the registry's host is missing"));
        }
        let named = path.rsplit('/').next().unwrap_or_default();
        if !named.contains([':', '@']) {
            return Err(wrong("it names neither a tag nor a digest"));
        }
        let inner: oci_client::Reference = rest.parse().map_err(|error: oci_client::ParseError| wrong(&error.to_string()))?;
        let wrong_digest = |digest: &str| !digest.starts_with("sha256:") || digest.len() != DIGEST;
        if inner.digest().is_some_and(wrong_digest) {
            return Err(wrong("its digest is no sha256"));
        }
        let url = reqwest::Url::parse(&format!("https://{registry}/")).map_err(|error| wrong(&error.to_string()))?;
        let plain = url.host_str().is_some_and(is_loopback);
        Ok(Self { inner, registry: registry.to_owned(), plain })
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn why(text: &str) -> String {
        match text.parse::<Reference>() {
            Err(RegistryError::Reference { why, .. }) => why,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn a_reference_by_tag_and_one_by_digest_are_read_and_shown_as_they_were_written() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let by_digest = format!("oci://registry.example/crm/acme@{digest}");
        for text in ["oci://registry.example/crm/acme:1.2.0", "oci://registry.example:5000/acme:x", &by_digest] {
            let reference: Reference = text.parse().expect("read");
            assert_eq!(reference.to_string(), text);
        }
        let both: Reference = format!("oci://registry.example/acme:1.0.0@{digest}").parse().expect("read");
        assert_eq!((both.tag(), both.digest()), (None, Some(digest.as_str())), "the digest decides");
    }

    #[test]
    fn nothing_is_assumed_that_was_not_written() {
        assert!(why("registry.example/acme:1").contains("oci://"));
        assert!(why("oci://acme:1").contains("no repository"));
        assert!(why("oci://crm/acme:1").contains("host is missing"));
        assert!(why("oci://registry.example/acme").contains("neither a tag nor a digest"));
        assert!(why("oci://registry.example:5000/acme").contains("neither a tag nor a digest"));
        assert!(why(&format!("oci://registry.example/acme@sha512:{}", "ab".repeat(64))).contains("sha256"));
        for text in
            ["oci://registry.example/ACME:1", "oci://user@registry.example/acme:1", "oci:///acme:1", "oci://registry.example/../x:1"]
        {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn only_this_machine_is_spoken_to_without_tls() {
        let url = |text: &str| text.parse::<Reference>().expect("read").manifest_url();
        assert_eq!(url("oci://localhost:5000/acme:1"), "http://localhost:5000/v2/acme/manifests/1");
        assert_eq!(url("oci://127.0.0.1:5000/acme:1"), "http://127.0.0.1:5000/v2/acme/manifests/1");
        for host in ["registry.example", "localhost.example", "10.0.0.1", "192.168.1.1:5000", "127.0.0.1.example:80"] {
            assert!(url(&format!("oci://{host}/acme:1")).starts_with("https://"), "{host}");
        }
    }
}
