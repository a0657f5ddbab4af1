//! The sources as modules: which file holds which module, what it defines, imports and names.

use proc_macro2::{TokenStream, TokenTree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use syn::visit::{self, Visit};

/// The names of a path, one a segment; that of a module is relative to its crate.
pub(crate) type Names = Vec<String>;

/// One module of a crate, without what is compiled for tests alone.
#[derive(Default)]
pub(crate) struct Module {
    /// Below the project's root.
    pub(crate) file: String,
    /// What it defines: types, functions, modules and the like.
    pub(crate) items: BTreeSet<String>,
    /// What `use` binds: the name here → the path as written.
    pub(crate) imports: Vec<(String, Names)>,
    /// `use path::*`.
    pub(crate) globs: Vec<Names>,
    /// Every path that is named in it, imports included.
    pub(crate) paths: BTreeSet<Names>,
}

/// The modules of a crate by their place in it; the root has no name.
pub(crate) type Modules = BTreeMap<Names, Module>;

pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder, in order.
pub(crate) fn files(folder: &str) -> Vec<PathBuf> {
    let mut entries: Vec<_> =
        project().join(folder).read_dir().unwrap().map(|e| e.unwrap().path()).collect();
    entries.sort();
    let mut found = Vec::new();
    for path in entries {
        if path.is_dir() {
            found.extend(files(path.to_str().unwrap()));
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
    found
}

/// A path below the project's root.
pub(crate) fn name(path: &Path) -> String {
    path.strip_prefix(project()).unwrap_or(path).to_str().unwrap().to_owned()
}

/// Reads a crate from its root file, along its `mod` lines.
pub(crate) fn read(root: &str) -> Modules {
    let mut modules = Modules::new();
    let root = project().join(root);
    let folder = root.parent().unwrap().to_path_buf();
    read_file(&root, &folder, &[], &mut modules);
    modules
}

/// `folder` is where the files of its modules lie.
fn read_file(path: &Path, folder: &Path, place: &[String], modules: &mut Modules) {
    let text = std::fs::read_to_string(path).unwrap();
    let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    read_module(&parsed.items, &name(path), folder, place, modules);
}

fn read_module(
    items: &[syn::Item],
    file: &str,
    folder: &Path,
    place: &[String],
    modules: &mut Modules,
) {
    let module = Module { file: file.to_owned(), ..Module::default() };
    let mut reader = Reader { module, inner: Vec::new() };
    for item in items {
        reader.visit_item(item);
    }
    modules.insert(place.to_vec(), reader.module);
    for inner in reader.inner {
        let name = inner.ident.to_string();
        let below = folder.join(&name);
        let place: Names = place.iter().cloned().chain([name]).collect();
        if let Some((_, items)) = inner.content {
            read_module(&items, file, &below, &place, modules);
        } else {
            let beside = below.with_extension("rs");
            let path = if beside.exists() { beside } else { below.join("mod.rs") };
            read_file(&path, &below, &place, modules);
        }
    }
}

struct Reader {
    module: Module,
    inner: Vec<syn::ItemMod>,
}

impl Reader {
    fn import(&mut self, tree: &syn::UseTree, before: &[String]) {
        let with = |name: &syn::Ident| -> Names {
            before.iter().cloned().chain([name.to_string()]).collect()
        };
        match tree {
            syn::UseTree::Path(path) => self.import(&path.tree, &with(&path.ident)),
            syn::UseTree::Group(group) => {
                for tree in &group.items {
                    self.import(tree, before);
                }
            }
            syn::UseTree::Glob(_) => {
                self.module.globs.push(before.to_vec());
                self.module.paths.insert(before.to_vec());
            }
            syn::UseTree::Name(name) if name.ident == "self" => {
                let bound = before.last().cloned().unwrap_or_default();
                self.bind(bound, before.to_vec());
            }
            syn::UseTree::Name(name) => self.bind(name.ident.to_string(), with(&name.ident)),
            syn::UseTree::Rename(rename) if rename.ident == "self" => {
                self.bind(rename.rename.to_string(), before.to_vec());
            }
            syn::UseTree::Rename(rename) => {
                self.bind(rename.rename.to_string(), with(&rename.ident));
            }
        }
    }

    fn bind(&mut self, name: String, path: Names) {
        self.module.paths.insert(path.clone());
        self.module.imports.push((name, path));
    }

    /// The paths within a macro's or an attribute's tokens, those in its texts included: serde takes
    /// paths so.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path = Names::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.end(&mut path);
                    }
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
                TokenTree::Punct(_) => self.end(&mut path),
                TokenTree::Group(group) => {
                    self.end(&mut path);
                    self.tokens(group.stream());
                }
                TokenTree::Literal(literal) => {
                    self.end(&mut path);
                    let text = literal.to_string();
                    if let Ok(path) = syn::parse_str::<syn::Path>(text.trim_matches('"')) {
                        self.end(&mut segments(&path));
                    }
                }
            }
        }
        self.end(&mut path);
    }

    /// Keeps a path that is complete. One name alone may be anything in a macro.
    fn end(&mut self, path: &mut Names) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.module.paths.insert(path);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast syn::Item) {
        if attributes(item).iter().any(is_test) {
            return;
        }
        self.module.items.extend(defined(item));
        if let syn::Item::Mod(inner) = item {
            self.inner.push(inner.clone());
        } else {
            visit::visit_item(self, item);
        }
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        if !item.attrs.iter().any(is_test) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.import(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.module.paths.insert(segments(path));
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        self.visit_path(&called.path);
        self.tokens(called.tokens.clone());
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(list.tokens.clone());
        }
    }
}

fn segments(path: &syn::Path) -> Names {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}

/// `#[cfg(test)]`, also as one of several conditions.
fn is_test(attribute: &syn::Attribute) -> bool {
    let syn::Meta::List(list) = &attribute.meta else { return false };
    let condition = list.tokens.to_string();
    let words: Vec<&str> = condition.split(|c: char| !c.is_ascii_alphanumeric()).collect();
    list.path.is_ident("cfg") && words.contains(&"test") && !words.contains(&"not")
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is open")]
fn attributes(item: &syn::Item) -> &[syn::Attribute] {
    match item {
        syn::Item::Const(i) => &i.attrs,
        syn::Item::Enum(i) => &i.attrs,
        syn::Item::Fn(i) => &i.attrs,
        syn::Item::Impl(i) => &i.attrs,
        syn::Item::Macro(i) => &i.attrs,
        syn::Item::Mod(i) => &i.attrs,
        syn::Item::Static(i) => &i.attrs,
        syn::Item::Struct(i) => &i.attrs,
        syn::Item::Trait(i) => &i.attrs,
        syn::Item::Type(i) => &i.attrs,
        syn::Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

/// The name that an item gives to its module.
#[expect(clippy::wildcard_enum_match_arm, reason = "the enum is open")]
fn defined(item: &syn::Item) -> Option<String> {
    let ident = match item {
        syn::Item::Const(i) => &i.ident,
        syn::Item::Enum(i) => &i.ident,
        syn::Item::Fn(i) => &i.sig.ident,
        syn::Item::Macro(i) => i.ident.as_ref()?,
        syn::Item::Mod(i) => &i.ident,
        syn::Item::Static(i) => &i.ident,
        syn::Item::Struct(i) => &i.ident,
        syn::Item::Trait(i) => &i.ident,
        syn::Item::Type(i) => &i.ident,
        _ => return None,
    };
    Some(ident.to_string())
}
