//! Bodies of requests: JSON, forms, text, bytes, files, and multipart forms.

use std::{path::Path, sync::Arc};

use rhai::Dynamic;

use super::{
    Form::Call as Written,
    Receiver::Global,
    Run,
    Stages::Both,
    Word,
    data::locate,
    generators::GeneratorHandle,
    request::{builder, with},
};
use crate::{
    plan::{Body, Escape, Generator, PartContent, Piece, Text},
    script::{
        body,
        call::{Call, describe},
        draft::RequestDraft,
        multipart,
    },
};

/// Bytes as a value of the language: a file's, or drawn ones. Unlike a blob of Rhai they are shared, and may be as
/// many as a request may send.
#[derive(Debug, Clone)]
pub struct Bytes {
    /// The bytes.
    pub bytes: Arc<[u8]>,
    /// The name of the file they came from, without its folder.
    pub name: Option<String>,
}

/// A file in a multipart form.
#[derive(Debug, Clone)]
pub struct FilePart {
    /// What the form calls the file.
    pub name: Text,
    /// What is in it.
    pub content: PartContent,
    /// Its media type.
    pub content_type: String,
}

pub(super) const WORDS: &[Word] = &[
    builder("json", "value: any", "`.json(#{ a: 1 })`", "A JSON body.", |call, request, args| {
        with(request, |draft| set_json(call, draft, &args[0]))
    }),
    builder(
        "form",
        "fields: map | list",
        "`.form(#{ a: 1 })` or `.form([[\"a\", 1], [\"a\", 2]])`",
        "A form body.",
        |call, request, mut args| {
            with(request, |draft| {
                if let Some(text) = body::form(call, args.remove(0)) {
                    let content_type = Some("application/x-www-form-urlencoded".into());
                    draft.template.body = Body::Text { content_type, text };
                }
            })
        },
    ),
    builder("text", "text: any", "`.text(\"hello\")`", "A text body.", |call, request, args| {
        with(request, |draft| {
            if let Some(text) = body::plain(call, &args[0], Escape::None) {
                draft.template.body = Body::Text { content_type: Some("text/plain; charset=utf-8".into()), text };
            }
        })
    }),
    builder(
        "body",
        "body: bytes | string",
        "`.body(bytes(10.kb))`",
        "A body of bytes or text, without a type.",
        |call, request, args| {
            with(request, |draft| {
                draft.template.body = match content(call, &args[0]) {
                    Some(PartContent::Bytes(bytes)) => Body::Bytes { content_type: None, bytes },
                    Some(PartContent::Text(text)) => Body::Text { content_type: None, text },
                    None => return,
                };
            })
        },
    ),
    builder(
        "file",
        "path: string, type?: string",
        "`.file(\"data/photo.jpg\")`",
        "A file as its body; its type is guessed from the name unless given.",
        |call, request, args| {
            let file = read(call, &args[0]);
            let given = args.get(1).and_then(|kind| media_type(call, kind));
            with(request, |draft| {
                if let Some(file) = file {
                    let content_type = given.or_else(|| Some(guess(file.name.as_deref().unwrap_or_default())));
                    draft.template.body = Body::Bytes { content_type, bytes: file.bytes };
                }
            })
        },
    ),
    builder(
        "multipart",
        "parts: map | list",
        "`.multipart(#{ file: file_part(\"a.wav\", bytes(100.kb), \"audio/wav\"), note: \"x\" })`",
        "A form with files; a list of pairs keeps the order of its parts.",
        |call, request, mut args| {
            with(request, |draft| {
                if let Some(body) = multipart::body(call, args.remove(0)) {
                    draft.template.body = body;
                }
            })
        },
    ),
    Word {
        name: "file",
        on: Global,
        form: Written,
        takes: "path: string",
        gives: "bytes",
        usage: "`file(\"data/photo.jpg\")`",
        about: "The bytes of a file, for a body or a part.",
        stages: Both,
        run: Run::Checked(|call, _, args| match read(call, &args[0]) {
            Some(file) => Dynamic::from(file),
            None => Dynamic::from(Bytes { bytes: Arc::default(), name: None }),
        }),
    },
    Word {
        name: "file_part",
        on: Global,
        form: Written,
        takes: "name: string, content: bytes | string, type?: string",
        gives: "FilePart",
        usage: "`file_part(\"a.wav\", bytes(100.kb), \"audio/wav\")`",
        about: "A file in a multipart form; its type is guessed from the name unless given.",
        stages: Both,
        run: Run::Checked(|call, _, args| {
            let name = body::plain(call, &args[0], Escape::FormName);
            let content = content(call, &args[1]);
            let given = args.get(2).and_then(|kind| media_type(call, kind));
            let (Some(name), Some(content)) = (name, content) else {
                let content = PartContent::Text(Text::default());
                return Dynamic::from(FilePart { name: Text::default(), content, content_type: String::new() });
            };
            let content_type = given.unwrap_or_else(|| guess(&name.display()));
            Dynamic::from(FilePart { name, content, content_type })
        }),
    },
];

pub(super) fn set_json(call: &Call<'_>, draft: &mut RequestDraft, value: &Dynamic) {
    if let Some(text) = body::json(call, value) {
        draft.template.body = Body::Text { content_type: Some("application/json".into()), text };
    }
}

/// Bytes or text to be sent as they are.
pub(in crate::script) fn content(call: &Call<'_>, value: &Dynamic) -> Option<PartContent> {
    if let Some(blob) = value.read_lock::<rhai::Blob>() {
        return Some(PartContent::Bytes(blob.as_slice().into()));
    }
    if let Some(bytes) = value.read_lock::<Bytes>() {
        return Some(PartContent::Bytes(bytes.bytes.clone()));
    }
    if let Some(handle) = value.clone().try_cast::<GeneratorHandle>()
        && body::gives_bytes(call, handle)
    {
        return match call.stage() {
            crate::script::Stage::Plan => Some(PartContent::Text(Text(vec![Piece::Draw(handle.0, Escape::None)]))),
            crate::script::Stage::Run => content(call, &body::drawn(call, handle)?),
        };
    }
    if value.is_int() || value.is_float() {
        call.wrong(
            format!("`{}` takes bytes or a text; found {}", call.word.name, describe(value)),
            "write `bytes(100.kb)` for so many bytes, or `file(path)` for those of a file",
        );
        return None;
    }
    body::plain(call, value, Escape::None).map(PartContent::Text)
}

fn read(call: &Call<'_>, path: &Dynamic) -> Option<Bytes> {
    let path = call.fixed_text(path)?;
    let read = locate(call, &path).and_then(|real| call.state.data_cache.body(&real));
    let bytes = read.map_err(|error| call.wrong(format!("failed to read `{path}`: {}", error.message), error.help));
    let name = Path::new(&path).file_name().map(|name| name.to_string_lossy().into_owned());
    Some(Bytes { bytes: bytes.ok()?, name })
}

fn media_type(call: &Call<'_>, value: &Dynamic) -> Option<String> {
    let text = call.fixed_text(value)?;
    if !text.contains('/') || text.chars().any(char::is_control) {
        call.wrong(format!("{text:?} is not a media type"), "write one such as \"audio/wav\"");
        return None;
    }
    Some(text)
}

/// The media type that a name's ending stands for.
pub(in crate::script) fn guess(name: &str) -> String {
    mime_guess::from_path(name).first_or_octet_stream().essence_str().to_owned()
}

/// The generator behind `bytes(size)`.
pub(super) fn bytes_generator(call: &Call<'_>, size: &Dynamic) -> Option<Generator> {
    call.size(size).map(|size| Generator::Bytes(usize::try_from(size).unwrap_or(usize::MAX)))
}
