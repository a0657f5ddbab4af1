//! How the command line names an agent: `NAME`, or `key=value` pairs separated by commas.
//!
//! A value that begins with `{`, `[` or `"` is JSON and ends where the JSON ends, so it may contain
//! commas; any other ends at the next comma. A text without `=` is an agent's name.

use crate::room::address::{AddressError, address};
use std::path::PathBuf;
use std::str::FromStr;

/// Which agent to call: what is `None` is as the scenario or the command line has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct AgentSpec {
    /// Dispatch name; empty for automatic dispatch.
    pub(super) name: Option<String>,
    pub(super) metadata: Option<Metadata>,
    pub(super) url: Option<String>,
    /// Environment variables with the keys of the server at `url`.
    pub(super) api_key_env: Option<String>,
    pub(super) api_secret_env: Option<String>,
}

/// What is handed to the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Metadata {
    Text(String),
    /// The contents of a file, as they are.
    File(PathBuf),
}

const KEYS: &str = "name, metadata, url, api-key-env and api-secret-env";

#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SpecError {
    #[error("empty: write an agent name, or `name=` for automatic dispatch")]
    Empty,
    #[error("`{0}` has no `=`: write key=value pairs separated by commas")]
    NoValue(String),
    #[error("unknown key `{0}`; the keys are {KEYS}. Write a name that contains `=` as name=\"…\"")]
    UnknownKey(String),
    #[error("duplicate key `{0}`")]
    Twice(String),
    #[error("the value of `{key}` is not valid JSON: {why}")]
    BadJson { key: String, why: String },
    #[error("`{rest}` after the value of `{key}`: write a comma before the next key")]
    NoComma { key: String, rest: String },
    #[error("`{0}` has no value")]
    NothingGiven(String),
    #[error(
        "metadata `{0}` is neither JSON nor @FILE: write metadata={{…}}, metadata=\"text\" or \
         metadata=@FILE"
    )]
    BadMetadata(String),
    #[error("`{0}` must be a plain value, not a JSON object or list")]
    NotPlain(String),
    #[error("{why}: {}", why.remedy())]
    BadUrl { why: AddressError },
    #[error("`{0}` needs the url=… of the server it belongs to")]
    KeysWithoutUrl(&'static str),
}

/// A value as it was written.
enum Written<'a> {
    Plain(&'a str),
    /// A JSON string.
    Quoted(String),
    /// A JSON object or list, as written.
    Json(&'a str),
}

impl FromStr for AgentSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        if text.trim().is_empty() {
            return Err(SpecError::Empty);
        }
        if !text.contains('=') {
            return Ok(Self { name: Some(text.to_owned()), ..Self::default() });
        }
        let mut spec = Self::default();
        let mut rest = text;
        loop {
            let Some((key, after)) = rest.split_once('=') else {
                return Err(SpecError::NoValue(rest.to_owned()));
            };
            let (value, left) = value(key, after)?;
            spec.set(key.trim(), value)?;
            match left.strip_prefix(',') {
                Some(next) => rest = next,
                None if left.trim().is_empty() => break,
                None => {
                    return Err(SpecError::NoComma { key: key.to_owned(), rest: left.to_owned() });
                }
            }
        }
        spec.checked()
    }
}

/// The value at the beginning of `text`, and what follows it.
fn value<'a>(key: &str, text: &'a str) -> Result<(Written<'a>, &'a str), SpecError> {
    let bad = |e: serde_json::Error| SpecError::BadJson { key: key.into(), why: e.to_string() };
    if !text.starts_with(['{', '[', '"']) {
        let end = text.find(',').unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return Ok((Written::Plain(value), rest));
    }
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
    let parsed = values.next().transpose().map_err(bad)?;
    let (written, rest) = text.split_at(values.byte_offset());
    Ok(match parsed {
        Some(serde_json::Value::String(text)) => (Written::Quoted(text), rest),
        _ => (Written::Json(written), rest),
    })
}

impl AgentSpec {
    fn set(&mut self, key: &str, value: Written<'_>) -> Result<(), SpecError> {
        if key == "metadata" {
            if self.metadata.is_some() {
                return Err(SpecError::Twice(key.to_owned()));
            }
            self.metadata = Some(metadata(value)?);
            return Ok(());
        }
        let place = match key {
            "name" => &mut self.name,
            "url" => &mut self.url,
            "api-key-env" => &mut self.api_key_env,
            "api-secret-env" => &mut self.api_secret_env,
            _ => return Err(SpecError::UnknownKey(key.to_owned())),
        };
        if place.is_some() {
            return Err(SpecError::Twice(key.to_owned()));
        }
        let text = match value {
            Written::Plain(text) => text.to_owned(),
            Written::Quoted(text) => text,
            Written::Json(_) => return Err(SpecError::NotPlain(key.to_owned())),
        };
        if text.is_empty() && key != "name" {
            return Err(SpecError::NothingGiven(key.to_owned()));
        }
        *place = Some(text);
        Ok(())
    }

    fn checked(mut self) -> Result<Self, SpecError> {
        let url = self.url.map(|url| address(&url)).transpose();
        self.url = url.map_err(|why| SpecError::BadUrl { why })?;
        match &self.url {
            None if self.api_key_env.is_some() => Err(SpecError::KeysWithoutUrl("api-key-env")),
            None if self.api_secret_env.is_some() => {
                Err(SpecError::KeysWithoutUrl("api-secret-env"))
            }
            _ => Ok(self),
        }
    }
}

fn metadata(value: Written<'_>) -> Result<Metadata, SpecError> {
    match value {
        Written::Quoted(text) => Ok(Metadata::Text(text)),
        Written::Json(text) => Ok(Metadata::Text(text.to_owned())),
        Written::Plain("") => Ok(Metadata::Text(String::new())),
        Written::Plain(text) => match text.strip_prefix('@') {
            Some(file) if !file.is_empty() => Ok(Metadata::File(file.into())),
            _ => Err(SpecError::BadMetadata(text.to_owned())),
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> AgentSpec {
        text.parse().expect(text)
    }

    fn fault(text: &str) -> String {
        text.parse::<AgentSpec>().expect_err(text).to_string()
    }

    #[test]
    fn what_can_be_written() {
        assert_eq!(read("my-agent").name.as_deref(), Some("my-agent"));
        assert_eq!(read("name=").name.as_deref(), Some(""));
        let spec = read(r#"metadata={"llm": "b, c", "n": [1, 2]},name="a=b, c""#);
        assert_eq!(spec.name.as_deref(), Some("a=b, c"));
        let json = r#"{"llm": "b, c", "n": [1, 2]}"#.to_owned();
        assert_eq!(spec.metadata, Some(Metadata::Text(json)));
        assert_eq!(read("metadata=@b.json").metadata, Some(Metadata::File("b.json".into())));
        assert_eq!(read("metadata=").metadata, Some(Metadata::Text(String::new())));
        assert_eq!(read(r#"metadata="x""#).metadata, Some(Metadata::Text("x".into())));
        let spec = read("url=wss://b.example,api-key-env=B_KEY,api-secret-env=B_SECRET");
        assert_eq!(spec.url.as_deref(), Some("wss://b.example"));
        assert_eq!(spec.api_secret_env.as_deref(), Some("B_SECRET"));
    }

    #[test]
    fn faults_are_named() {
        for (text, says) in [
            ("", "empty: write"),
            ("name=a,metadata", "`metadata` has no `=`"),
            ("nmae=a", "unknown key `nmae`; the keys are name, metadata"),
            ("name=a,name=b", "duplicate key `name`"),
            ("metadata={,name=b", "the value of `metadata` is not valid JSON"),
            ("metadata={}name=b", "`name=b` after the value of `metadata`"),
            ("metadata=b.json", "neither JSON nor @FILE"),
            ("metadata=@", "neither JSON nor @FILE"),
            ("name={}", "`name` must be a plain value"),
            ("url=,name=b", "`url` has no value"),
            ("url=b.example", "`b.example` is not a LiveKit URL"),
            ("api-key-env=KEY", "`api-key-env` needs the url=…"),
        ] {
            assert!(fault(text).contains(says), "{text}: {}", fault(text));
        }
    }

    proptest! {
        #[test]
        fn any_name_can_be_written(name in "\\PC{0,40}") {
            let quoted = serde_json::to_string(&name).expect("a string");
            let spec = read(&format!("name={quoted},metadata={{}}"));
            prop_assert_eq!(spec.name, Some(name));
        }

        #[test]
        fn nothing_panics(text in "\\PC{0,60}") {
            let _ = text.parse::<AgentSpec>();
        }
    }
}
