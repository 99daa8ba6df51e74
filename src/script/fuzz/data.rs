//! Data files.

use std::io::Cursor;

use crate::{
    plan::{Cell, Table},
    script::data_cache::{self, CsvOptions, Format},
};

/// Reads the bytes after the first as a data file, of the format that the first byte says.
///
/// Holds: rows are as long as the header; a CSV file that is accepted is read alike once it is written anew; JSON is
/// accepted only where serde takes it for an array, and has as many rows.
pub fn data(data: &[u8]) {
    let Some((&how, bytes)) = data.split_first() else { return };
    let format = match how % 4 {
        0 => Format::Json,
        1 if how & 0x80 != 0 => Format::Lines,
        1 => Format::JsonLines,
        2 => Format::Csv(CsvOptions::default()),
        _ => Format::Csv(CsvOptions {
            delimiter: [b',', b';', b'\t', b'|'][usize::from(how >> 2) % 4],
            quote: if how & 0x10 == 0 { b'"' } else { b'\'' },
            header: how & 0x20 == 0,
            columns: None,
            comment: (how & 0x40 != 0).then_some(b'#'),
            trim: how & 0x80 != 0,
        }),
    };
    let Ok(table) = data_cache::parse(&mut Cursor::new(bytes), bytes.len() as u64, &format) else { return };
    let rows = cells(&table);
    assert!(!table.columns().is_empty());
    match &format {
        Format::Json => {
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let parsed: Vec<serde_json::Value> = serde_json::from_slice(bytes).expect("serde reads it too");
            assert_eq!(table.rows(), parsed.len());
        }
        Format::JsonLines => {
            let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.trim_ascii().is_empty());
            let mark =
                usize::from(bytes.strip_prefix(b"\xef\xbb\xbf").is_some_and(|rest| rest.first() == Some(&b'\n')));
            assert_eq!(table.rows() + mark, lines.count());
        }
        Format::Lines => {
            assert!(table.columns().len() == 1 && rows.len() <= bytes.split(|&byte| byte == b'\n').count());
            assert!(rows.iter().flatten().all(|text| !text.contains('\n')));
        }
        // A second byte order mark is a part of the first name, and would be the first one if it were written.
        Format::Csv(_) if table.columns()[0].starts_with('\u{feff}') => {}
        Format::Csv(_) => {
            let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
            writer.write_record(table.columns()).expect("memory");
            rows.iter().for_each(|row| writer.write_record(row).expect("memory"));
            let written = writer.into_inner().expect("memory");
            let format = Format::Csv(CsvOptions::default());
            let again = data_cache::parse(&mut Cursor::new(&written), written.len() as u64, &format);
            let again = again.unwrap_or_else(|error| panic!("{error:?}: {:?}", String::from_utf8_lossy(&written)));
            assert_eq!((again.columns(), cells(&again)), (table.columns(), rows));
        }
    }
}

/// Every cell as text, after a look at it as a value.
fn cells(table: &Table) -> Vec<Vec<String>> {
    let cell = |row, column| {
        if let Cell::Json(text) = table.cell(row, column) {
            serde_json::from_str::<serde_json::Value>(text).expect("what is kept as JSON is JSON");
        }
        table.text(row, column).to_owned()
    };
    (0..table.rows()).map(|row| (0..table.columns().len()).map(|column| cell(row, column)).collect()).collect()
}
