//! Settings of a project, checked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use reqwest::Url;
use reqwest::header::HeaderValue;
use sha2::{Digest as _, Sha256};

use crate::secret::Secret;

/// Where Langfuse is when nothing else is said.
pub const CLOUD: &str = "https://cloud.langfuse.com";
/// The environment traces are filed under when nothing else is said, so that simulated calls can be
/// told from real ones.
pub const ENVIRONMENT: &str = "loadcall";

/// A project's settings as they were given.
#[derive(Debug, Clone)]
pub struct Given {
    pub public_key: String,
    pub secret_key: Secret,
    /// The address of its web interface; [`CLOUD`] when absent.
    pub base_url: Option<String>,
    /// 1 to 40 of `a-z 0-9 - _`, not beginning with `langfuse`; [`ENVIRONMENT`] when absent.
    pub environment: Option<String>,
}

/// A project that can be asked.
#[derive(Debug, Clone)]
pub struct Project {
    base: Url,
    environment: String,
    /// Marked as sensitive, so that it is not shown.
    authorization: HeaderValue,
    hidden: [Secret; 2],
    digest: String,
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ProjectError {
    #[error(
        "{0} is empty or contains invalid characters: copy it again from the project's settings in Langfuse"
    )]
    Key(&'static str),
    #[error(
        "LANGFUSE_PUBLIC_KEY holds a secret key (`sk-…`): exchange it with LANGFUSE_SECRET_KEY"
    )]
    KeysExchanged,
    #[error("LANGFUSE_BASE_URL is not usable: {0}; write it like `{CLOUD}`")]
    BaseUrl(String),
    #[error(
        "LANGFUSE_TRACING_ENVIRONMENT `{0}` would be ignored by Langfuse: use 1 to 40 of a-z, 0-9, - and _, not beginning with `langfuse`"
    )]
    Environment(String),
}

impl Project {
    /// Checks the settings; asks nobody.
    pub fn new(given: &Given) -> Result<Self, ProjectError> {
        let base = base_url(given.base_url.as_deref().unwrap_or(CLOUD))?;
        let environment = environment(given.environment.as_deref().unwrap_or(ENVIRONMENT))?;
        check_key("LANGFUSE_PUBLIC_KEY", &given.public_key)?;
        check_key("LANGFUSE_SECRET_KEY", given.secret_key.expose())?;
        if given.public_key.starts_with("sk-") {
            return Err(ProjectError::KeysExchanged);
        }
        let pair = format!("{}:{}", given.public_key, given.secret_key.expose());
        let token = BASE64.encode(pair);
        let mut authorization = HeaderValue::try_from(format!("Basic {token}"))
            .map_err(|_| ProjectError::Key("LANGFUSE_SECRET_KEY"))?;
        authorization.set_sensitive(true);
        let hidden = [given.secret_key.clone(), Secret::new(token)];
        let hash: [u8; 32] = Sha256::digest(&given.public_key).into();
        let digest = format!("{:016x}", u64::from_be_bytes(std::array::from_fn(|at| hash[at])));
        Ok(Self { base, environment: environment.to_owned(), authorization, hidden, digest })
    }

    /// The address of its web interface, without credentials and without a slash at its end.
    pub fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Scheme and host.
    pub fn url(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// The address of a page of its web interface, of parts that may be texts of others.
    pub fn page(&self, parts: &[&str]) -> String {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(parts);
        }
        url.into()
    }

    pub fn is_https(&self) -> bool {
        self.base.scheme() == "https"
    }

    pub fn environment(&self) -> &str {
        &self.environment
    }

    /// A digest of the public key: tells projects at one address apart.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The value of the header of this name; not shown by `Debug`.
    pub fn authorization(&self) -> &HeaderValue {
        &self.authorization
    }

    /// What must not be repeated from a server's message.
    pub fn hidden(&self) -> &[Secret] {
        &self.hidden
    }
}

fn base_url(text: &str) -> Result<Url, ProjectError> {
    let bad = |why: &str| ProjectError::BaseUrl(why.to_owned());
    // The text is not repeated in any message: it may hold a password.
    let url = Url::parse(text.trim()).map_err(|error| bad(&error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad("it is not an http or https URL"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(bad("it holds credentials; the keys have variables of their own"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad("it has a `?` or `#` part"));
    }
    Ok(url)
}

fn environment(text: &str) -> Result<&str, ProjectError> {
    let valid = (1..=40).contains(&text.len())
        && !text.starts_with("langfuse")
        && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'));
    if valid { Ok(text) } else { Err(ProjectError::Environment(text.to_owned())) }
}

fn check_key(name: &'static str, key: &str) -> Result<(), ProjectError> {
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(ProjectError::Key(name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(base_url: &str) -> Given {
        Given {
            public_key: "pk-lf-test".to_owned(),
            secret_key: Secret::new("sk-lf-the-secret-part".to_owned()),
            base_url: Some(base_url.to_owned()),
            environment: None,
        }
    }

    #[test]
    fn settings_that_cannot_work_are_refused() {
        let refused = |change: &dyn Fn(&mut Given)| {
            let mut settings = settings("http://127.0.0.1:1");
            change(&mut settings);
            let error = Project::new(&settings).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
            error
        };
        let url =
            |url: &str| refused(&|settings: &mut Given| settings.base_url = Some(url.to_owned()));
        for bad in [
            "",
            "cloud.langfuse.com",
            "ftp://x",
            "http://me:hunter2@x/",
            "http://x/?key=hunter2",
            "http://:hunter2@",
        ] {
            assert!(matches!(url(bad), ProjectError::BaseUrl(_)), "{bad}");
        }
        for bad in ["", "Production", "langfuse-x", "with space", &"x".repeat(41)] {
            let error = refused(&|settings| settings.environment = Some(bad.to_owned()));
            assert_eq!(error, ProjectError::Environment(bad.to_owned()));
        }
        for bad in ["", "sk hunter2", "sk-hunter2\n"] {
            let error = refused(&|settings| settings.secret_key = Secret::new(bad.to_owned()));
            assert_eq!(error, ProjectError::Key("LANGFUSE_SECRET_KEY"));
        }
        let error = refused(&|settings| settings.public_key = "sk-lf-hunter2".to_owned());
        assert_eq!(error, ProjectError::KeysExchanged);
    }
}
