//! A page of documentation and the code in it.

use std::ops::Range;
use std::path::{Path, PathBuf};

pub(crate) struct Page {
    /// From the root of the repository.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn read(root: &Path, path: PathBuf) -> Self {
        let text = std::fs::read_to_string(root.join(&path)).unwrap();
        Self { path, text }
    }
}

/// What a code block is, and so what is tested of it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Run,
    Live,
    Shown,
    /// Equal to this file of the repository.
    Equal(String),
    /// Written to this file for the commands below it.
    Written(String),
    Workflow,
    Yaml,
    Json,
    Plain,
}

impl Kind {
    /// From what stands after the fence.
    fn parse(info: &str) -> Option<Self> {
        Some(match info.split_once(' ').unwrap_or((info, "")) {
            ("console", "") => Self::Run,
            ("console", "live") => Self::Live,
            ("text", "live") => Self::Shown,
            ("text", "") => Self::Plain,
            ("yaml", "") => Self::Yaml,
            ("yaml", "workflow") => Self::Workflow,
            ("json", "") => Self::Json,
            ("yaml", how) if how.starts_with("file=") => Self::Equal(how["file=".len()..].into()),
            ("yaml" | "json", how) => Self::Written(how.strip_prefix("write=")?.into()),
            _ => return None,
        })
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Run => "console: run, and the output compared",
            Self::Live => "console live: needs a server; command lines checked, output not",
            Self::Shown => "text live: output of a live run, not compared",
            Self::Equal(_) => "yaml file: equal to a file",
            Self::Written(_) => "write: input of the commands below it",
            Self::Workflow => "yaml workflow: parsed, command lines checked",
            Self::Yaml => "yaml: parsed",
            Self::Json => "json: parsed",
            Self::Plain => "text: notation",
        }
    }
}

pub(crate) struct Block {
    /// Or what stands after the fence, where that names no kind.
    pub(crate) kind: Result<Kind, String>,
    /// The line of the opening fence, from 1.
    pub(crate) line: usize,
    /// Where the text between the fences is.
    pub(crate) body: Range<usize>,
}

/// The fenced code blocks of a page, in order.
pub(crate) fn blocks(text: &str) -> Vec<Block> {
    let (mut found, mut open) = (Vec::new(), None::<Block>);
    let mut at = 0;
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += line.len();
        let Some(info) = line.trim_start().strip_prefix("```") else { continue };
        if let Some(mut block) = open.take() {
            block.body.end = start;
            found.push(block);
        } else {
            let info = info.trim();
            let kind = Kind::parse(info).filter(|_| line.starts_with("```"));
            let kind = kind.ok_or_else(|| line.trim_end().to_owned());
            open = Some(Block { kind, line: index + 1, body: at..at });
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    found
}

/// The page without its code blocks, for what concerns sentences.
pub(crate) fn prose(text: &str) -> String {
    let mut out = String::new();
    let mut from = 0;
    for block in blocks(text) {
        out.push_str(&text[from..block.body.start]);
        from = block.body.end;
    }
    out.push_str(&text[from..]);
    // What is left of the blocks are their fences.
    out.lines().filter(|line| !line.trim_start().starts_with("```")).fold(
        String::new(),
        |mut all, line| {
            all.push_str(line);
            all.push('\n');
            all
        },
    )
}

/// The code within sentences, line ends as blanks.
pub(crate) fn inline_code(text: &str) -> Vec<String> {
    prose(text)
        .split("\n\n")
        .flat_map(|paragraph| {
            paragraph.split('`').skip(1).step_by(2).map(one_line).collect::<Vec<_>>()
        })
        .collect()
}

fn one_line(code: &str) -> String {
    code.split_whitespace().collect::<Vec<_>>().join(" ")
}
