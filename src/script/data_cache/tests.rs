use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::plan::Cell;

fn read(text: impl AsRef<[u8]>, format: &Format) -> Result<Table, DataError> {
    let bytes = text.as_ref();
    parse(&mut Cursor::new(bytes), bytes.len() as u64, format)
}

fn csv(text: impl AsRef<[u8]>) -> Result<Table, DataError> {
    read(text, &Format::Csv(CsvOptions::default()))
}

fn cells(table: &Table) -> Vec<Vec<&str>> {
    let width = table.columns().len();
    (0..table.rows()).map(|row| (0..width).map(|column| table.text(row, column)).collect()).collect()
}

#[test]
fn csv_is_read_with_quotes_and_byte_order_mark() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.csv");
    std::fs::write(&path, b"\xef\xbb\xbfemail,name\r\na@x,\"Smith, \"\"Al\"\"\"\r\nb@x,B\r\n").expect("written");
    let cache = DataCache::default();
    let format = Format::Csv(CsvOptions::default());
    let table = cache.table(&path, &format).expect("a table");
    assert_eq!(table.columns(), ["email", "name"]);
    assert_eq!(cells(&table), [["a@x", "Smith, \"Al\""], ["b@x", "B"]]);
    // Parsed once: the second caller gets the same table.
    assert!(Arc::ptr_eq(&table, &cache.table(&path, &format).expect("a table")));
    let bytes = cache.body(&path).expect("bytes");
    assert!(bytes.starts_with(b"\xef\xbb\xbf") && Arc::ptr_eq(&bytes, &cache.body(&path).expect("bytes")));
}

#[test]
fn csv_may_be_written_in_many_ways() {
    let options = |change: fn(&mut CsvOptions)| {
        let mut options = CsvOptions::default();
        change(&mut options);
        Format::Csv(options)
    };
    for (text, format, columns, expected) in [
        ("a;b\n1;2,5\n", options(|o| o.delimiter = b';'), ["a", "b"], ["1", "2,5"]),
        ("a\tb\n1\t2\n", options(|o| o.delimiter = b'\t'), ["a", "b"], ["1", "2"]),
        ("1,2\n", options(|o| o.header = false), ["c1", "c2"], ["1", "2"]),
        (
            "1,2\n",
            options(|o| {
                o.header = false;
                o.columns = Some(vec!["x".into(), "y".into()]);
            }),
            ["x", "y"],
            ["1", "2"],
        ),
        ("a,b\n1,2\n", options(|o| o.columns = Some(vec!["x".into(), "y".into()])), ["x", "y"], ["1", "2"]),
        ("a,b\n'1,1',2\n", options(|o| o.quote = b'\''), ["a", "b"], ["1,1", "2"]),
        ("# hello\na,b\n# more\n1,2\n", options(|o| o.comment = Some(b'#')), ["a", "b"], ["1", "2"]),
        ("a , b\n 1 , 2 \n", options(|o| o.trim = true), ["a", "b"], ["1", "2"]),
        // The last line without its end, empty lines, a line break within quotes, an empty value.
        ("a,b\n\n\"1\n1\",", options(|_| ()), ["a", "b"], ["1\n1", ""]),
    ] {
        let table = read(text, &format).unwrap_or_else(|error| panic!("{text:?}: {}", error.message));
        assert_eq!(table.columns(), columns, "{text:?}");
        assert_eq!(cells(&table), [expected], "{text:?}");
    }
}

#[test]
fn a_bad_file_is_refused_with_its_line() {
    for (text, part) in [
        (&b""[..], "is empty"),
        (b"  \n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"a,a\n1,2\n", "two columns are named `a`"),
        (b"a,\n1,2\n", "column 2 has no name"),
        (b"a,b\n1,2\n1,2,3\n", "line 3 has 3 values"),
        (b"a,b\n\"1\n1\",2\n1\n", "line 4 has 1 values"),
        (b"a\n\xff\xfe\n", "line 2 is not UTF-8"),
        (b"\xe4,b\n1,2\n", "line 1 is not UTF-8"),
        (b"\xff\xfea\0,\0b\0", "UTF-16"),
    ] {
        let message = csv(text).expect_err(part).message;
        assert!(message.contains(part), "{message}");
    }
    let one_column = csv("a;b\n1;2,5\n").expect_err("ragged");
    assert!(one_column.help.contains("delimiter"), "{}", one_column.help);
    let named = Format::Csv(CsvOptions { columns: Some(vec!["x".into()]), ..CsvOptions::default() });
    assert!(read("a,b\n1,2\n", &named).expect_err("names").message.contains("2 columns, but 1"));
    for (format, text, part) in [
        (Format::Json, "{}", "not an array"),
        (Format::Json, "[1, {}]", "some are not"),
        (Format::Json, "[1] x", "trailing"),
        (Format::Json, "[1, ", "EOF"),
        (Format::Json, "[]", "no rows"),
        (Format::JsonLines, "1\n{\n", "line 2"),
    ] {
        let message = read(text, &format).expect_err(part).message;
        assert!(message.contains(part), "{message}");
    }
}

#[test]
fn json_objects_become_columns_and_keep_their_kinds() {
    let text = r#"{"id": 1, "tags": ["a"]}, {"id": 2, "name": "x"}"#;
    let lines = text.replace("}, {", "}\r\n\n{");
    for table in [
        read(format!("\u{feff}[{text}]"), &Format::Json).expect("a table"),
        read(format!("\u{feff}{lines}"), &Format::JsonLines).expect("a table"),
    ] {
        assert_eq!(table.columns(), ["id", "tags", "name"]);
        assert_eq!(table.cell(0, 0), Cell::Int(1));
        assert_eq!(table.cell(0, 1), Cell::Json("[\"a\"]"));
        assert_eq!(table.cell(0, 2), Cell::Nothing);
        assert_eq!(table.cell(1, 2), Cell::Text("x"));
    }
}

#[test]
fn a_table_takes_little_more_than_its_file() {
    let mut text = String::from("id,email\n");
    for n in 0..100_000 {
        text.push_str(&format!("{n},user{n}@example.com\n"));
    }
    let table = csv(&text).expect("a table");
    assert_eq!((table.rows(), table.text(99_999, 1)), (100_000, "user99999@example.com"));
    let (bytes, limit) = (table.bytes(), text.len() + text.len() / 5);
    assert!(bytes < limit, "{bytes} bytes for a file of {}", text.len());
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let cache = DataCache::default();
    assert_eq!(cache.body(folder.path()).expect_err("a folder").message, "it is a folder");
    assert_eq!(cache.body(Path::new("/dev/null")).expect_err("a device").message, "it is no regular file");
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(text in ".{0,64}") {
        let _ = (csv(&text), read(&text, &Format::Json), read(&text, &Format::JsonLines));
    }

    #[test]
    fn csv_rows_survive(rows in prop::collection::vec(("[ -~]{1,8}", "[ -~]{0,8}"), 1..40)) {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record(["a", "b"]).expect("memory");
        for (a, b) in &rows {
            writer.write_record([a, b]).expect("memory");
        }
        let table = csv(writer.into_inner().expect("memory")).expect("a table");
        prop_assert_eq!(table.rows(), rows.len());
        for (index, (a, b)) in rows.iter().enumerate() {
            prop_assert_eq!((table.text(index, 0), table.text(index, 1)), (a.as_str(), b.as_str()));
        }
    }
}

#[test]
fn a_trace_is_a_text_a_line() {
    let table = read("\u{feff}a b\r\n\n  7 \n\"x\"", &Format::Lines).expect("a table");
    assert_eq!(table.columns(), [VALUE_COLUMN]);
    assert_eq!(cells(&table), [["a b"], ["7"], ["\"x\""]]);
    assert_eq!(table.cell(1, 0), Cell::Text("7"), "a key keeps its zeros");
    assert!(read(b"ok\n\xff\n", &Format::Lines).is_err_and(|error| error.message.contains("line 2")));
    assert_eq!(read("\n\n", &Format::Lines).expect("an empty table").rows(), 0);
}
