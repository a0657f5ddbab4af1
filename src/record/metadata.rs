//! Which metadata an agent was dispatched with, without the metadata: it may hold keys of providers, and
//! recordings, baselines and reports are passed around.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};

/// Bytes of a SHA-256 that are kept: enough to see that a value changed.
const KEPT: usize = 8;
/// Stands for a text that is not a JSON object.
const WHOLE: &str = "";

/// A digest of each top-level key of dispatch metadata (a JSON object), or one of the whole text where it
/// is anything else. Empty for no metadata. Old files hold the metadata itself, which is read as well.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct MetadataDigest(BTreeMap<String, String>);

/// How one key differs between two agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyChange {
    Changed,
    Added,
    Removed,
}

impl MetadataDigest {
    /// The digest of metadata as it is sent.
    pub fn digest(metadata: &str) -> Self {
        if metadata.is_empty() {
            return Self::default();
        }
        let object = serde_json::from_str::<BTreeMap<String, serde_json::Value>>(metadata);
        Self(match object {
            // Written again, so that spaces and the order of inner keys do not count.
            Ok(keys) => keys.into_iter().map(|(key, v)| (key, short(&v.to_string()))).collect(),
            Err(_) => BTreeMap::from([(WHOLE.to_owned(), short(metadata))]),
        })
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys that differ in `other`; `None` names the whole of a text that has no keys.
    pub fn changes(&self, other: &Self) -> Vec<(Option<String>, KeyChange)> {
        let keys: BTreeSet<&String> = self.0.keys().chain(other.0.keys()).collect();
        let change = |key: &&String| match (self.0.get(*key), other.0.get(*key)) {
            (Some(old), Some(new)) if old == new => None,
            (Some(_), Some(_)) => Some(KeyChange::Changed),
            (Some(_), None) => Some(KeyChange::Removed),
            (None, _) => Some(KeyChange::Added),
        };
        let name = |key: &String| (key != WHOLE).then(|| key.clone());
        keys.into_iter().filter_map(|key| Some((name(key), change(&key)?))).collect()
    }
}

/// The names of the keys with the beginnings of their digests.
impl fmt::Display for MetadataDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (key, digest)) in self.0.iter().enumerate() {
            let before = if i > 0 { ", " } else { "" };
            let key = if key == WHOLE { "text" } else { key };
            write!(f, "{before}{key} #{}", digest.get(..6).unwrap_or(digest))?;
        }
        Ok(())
    }
}

impl<'de> Deserialize<'de> for MetadataDigest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A map of digests, or the metadata as files held it before.
        struct Either;
        impl<'de> serde::de::Visitor<'de> for Either {
            type Value = MetadataDigest;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("digests by key")
            }

            fn visit_str<E: serde::de::Error>(self, metadata: &str) -> Result<Self::Value, E> {
                Ok(MetadataDigest::digest(metadata))
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                map: A,
            ) -> Result<Self::Value, A::Error> {
                let map = serde::de::value::MapAccessDeserializer::new(map);
                BTreeMap::deserialize(map).map(MetadataDigest)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

fn short(text: &str) -> String {
    use fmt::Write as _;
    let mut hex = String::new();
    for byte in Sha256::digest(text.as_bytes()).iter().take(KEPT) {
        let _ = write!(hex, "{byte:02x}");
    }
    hex
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = r#"{"api_key":"sk-1234","llm":{"a":1,"b":2}}"#;

    #[test]
    fn keys_are_kept_and_values_are_not() {
        let digest = MetadataDigest::digest(SECRET);
        let json = serde_json::to_string(&digest).unwrap();
        assert!(json.contains("api_key") && !json.contains("sk-1234"), "{json}");
        assert!(!format!("{digest} {digest:?}").contains("sk-1234"));
        assert_eq!(serde_json::from_str::<MetadataDigest>(&json).unwrap(), digest);
        assert_eq!(serde_json::to_string(&MetadataDigest::digest("")).unwrap(), "{}");
    }

    #[test]
    fn metadata_of_old_files_is_digested_as_it_is_read() {
        let old = serde_json::to_string(SECRET).unwrap();
        let read: MetadataDigest = serde_json::from_str(&old).unwrap();
        assert_eq!(read, MetadataDigest::digest(SECRET));
    }

    #[test]
    fn changes_are_named_by_key() {
        let of = MetadataDigest::digest;
        let changes =
            of(SECRET).changes(&of(r#"{"llm": {"b":2, "a":1}, "new": 0, "api_key": ""}"#));
        let named = |key: &str, change| (Some(key.to_owned()), change);
        let want = [named("api_key", KeyChange::Changed), named("new", KeyChange::Added)];
        assert_eq!(changes, want);
        assert_eq!(of("old text").changes(&of("new text")), [(None, KeyChange::Changed)]);
        assert_eq!(of(SECRET).changes(&of("")).len(), 2);
    }
}
