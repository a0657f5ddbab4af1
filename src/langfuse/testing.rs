//! A project of Langfuse on a server that answers as a test says.

#[path = "../../tests/common/http.rs"]
mod http;

use super::{Given, Project};
use crate::secret::Secret;
pub(crate) use http::{Answer, Request, Server};

pub(crate) const PUBLIC_KEY: &str = "pk-lf-test";
pub(crate) const SECRET_KEY: &str = "sk-lf-the-secret-part";
/// Both keys as they are sent.
pub(crate) const TOKEN: &str = "cGstbGYtdGVzdDpzay1sZi10aGUtc2VjcmV0LXBhcnQ=";

impl Server {
    pub(crate) fn project(&self) -> Project {
        project(&self.url())
    }
}

/// A project at an address.
pub(crate) fn project(base_url: &str) -> Project {
    let given = Given {
        public_key: PUBLIC_KEY.to_owned(),
        secret_key: Secret::new(SECRET_KEY.to_owned()),
        base_url: Some(base_url.to_owned()),
        environment: None,
    };
    Project::new(&given).unwrap()
}
