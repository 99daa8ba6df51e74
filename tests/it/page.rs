//! The report for browsers, opened in one: its figures are the summary's, it works by keyboard, fits a phone, is dark
//! where that is preferred, and asks for nothing.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::harness::{Browser, Ended, Program, TestLab};

const SCRIPT: &str = "//! A page with everything that a page may show\n\
    let shop = target(env(\"TARGET\"));\n\
    let item = get(\"/lab/fixed?ms=4\").name(\"item\").classify(|res| if res.size % 2 == 0 { \"hit\" } else { \"miss\" });\n\
    let slow = get(\"/lab/fixed?ms=40\").name(\"a slow request with a name that is long enough to need two lines on a phone\");\n\
    let broken = get(\"/lab/status/503\").name(\"broken\").check(\"is there\", |res| res.status == 200);\n\
    let visit = flow(\"visit\", |vu| { vu.get(\"/health\"); count(\"visits\", 1); });\n\
    let traffic = mix([[5, item], [2, slow], [1, broken], [2, visit]]);\n\
    phase(\"warm-up\").run(item).users(2).iterations(50).warmup();\n\
    phase(\"sustained\").run(traffic).rate(150.per_second, 250.per_second).during(6.s);\n\
    phase(\"users\").run(traffic).users(5).during(3.s);\n\
    slo(\"reads stay fast\", #{ request: \"item\", p95: \"< 1s\", \"p99.9\": \"< 1s\" });\n\
    slo(\"nothing fails\", #{ errors: \"< 1%\" });\n\
    grades(#{ \"A+\": 3.ms, A: 20.ms, B: 60.ms });\n\
    note(\"made by a test\"); fact(\"commit\", \"1a2b3c\");";

/// Where pictures of the page go, for people to look at.
fn pictures() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("page");
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn keep(browser: &mut Browser, name: &str) {
    let picture = browser.picture();
    assert!(picture.starts_with(b"\x89PNG"), "{name} is no picture");
    std::fs::write(pictures().join(name), picture).expect("room on the disk");
}

fn ran() -> Ended {
    let lab = TestLab::start();
    let first = Program::run_against(SCRIPT, &lab.url()).args(["--results", "first.loadr"]).run();
    first.expect(99);
    let first = first.folder().join("first.loadr").to_string_lossy().into_owned();
    let ended = Program::run_against(SCRIPT, &lab.url())
        .args(["--seed", "7", "--tag", "branch=main", "--baseline", &first, "--html", "page.html"])
        .run();
    ended.expect(99);
    ended
}

#[test]
fn the_page_is_what_it_should_be_in_a_browser() {
    let ended = ran();
    let mut browser = Browser::start();
    browser.resize(1_280, 900);
    browser.prefer("light");
    browser.open(&ended.folder().join("page.html"));

    figures_are_those_of_the_summary(&mut browser, &ended);
    keep(&mut browser, "light.png");
    tables_sort_by_keyboard(&mut browser);
    tables_filter_by_keyboard(&mut browser);
    the_theme_is_the_readers(&mut browser);
    for width in [390, 320, 768, 1_280] {
        browser.resize(width, 844);
        let wide = browser.value("document.documentElement.scrollWidth").as_u64();
        assert!(wide <= Some(width.into()), "the page is {wide:?} wide in a window of {width}");
    }
    browser.resize(390, 844);
    keep(&mut browser, "phone.png");
    let small = browser.value(
        "[...document.querySelectorAll('button, input, summary')].filter(it => !it.hidden \
         && it.offsetParent && it.getBoundingClientRect().height < 20).map(it => it.outerHTML)",
    );
    assert_eq!(small, serde_json::json!([]), "too small for a finger");

    assert_eq!(browser.complaints(), [""; 0], "the page has errors");
    let asked = browser.requested();
    assert!(asked.iter().all(|url| url.starts_with("file://") || url.starts_with("data:")), "{asked:?}");
    assert_eq!(asked.len(), 1, "nothing but the page itself: {asked:?}");
}

/// The texts and the values that each table of requests shows, row by row.
fn shown(browser: &mut Browser, table: usize) -> Vec<(Vec<String>, Vec<Option<f64>>)> {
    let rows = browser.value(&format!(
        "[...document.getElementById('rows-{table}').tBodies[0].rows].filter(row => !row.hidden).map(row => \
         [[...row.cells].map(cell => cell.textContent), [...row.cells].map(cell => \
         cell.dataset.value === undefined ? null : Number(cell.dataset.value))])"
    ));
    serde_json::from_value(rows).expect("rows")
}

fn figures_are_those_of_the_summary(browser: &mut Browser, ended: &Ended) {
    let summary = &ended.figures().0;
    assert_eq!(browser.value("document.getElementById('verdict').textContent"), summary["verdict"]);
    let exit = browser.value("document.getElementById('exit').textContent").to_string();
    assert!(exit.contains(&summary["exit_code"].to_string()), "{exit}");
    let slos = summary["slos"].as_array().expect("SLOs");
    let told = browser.value("[...document.querySelectorAll('#slos tbody tr')].map(row => row.cells[2].textContent)");
    assert_eq!(told, slos.iter().map(|slo| slo["actual_text"].clone()).collect::<Value>());

    let list = |of: &str| summary[of].as_array().cloned().unwrap_or_default();
    let phases = [list("phases"), list("asides")].concat();
    let mut rows = 0;
    for (at, phase) in phases.iter().enumerate() {
        let of_kind = |kind: &str| phase[kind].as_array().cloned().unwrap_or_default();
        let expected = [of_kind("requests"), of_kind("flows")].concat();
        let shown = shown(browser, at + 1);
        assert_eq!(shown.len(), expected.len(), "{}", phase["name"]);
        for ((texts, values), row) in shown.iter().zip(&expected) {
            let failed = row["offered"].as_u64().zip(row["ok"].as_u64()).map(|(all, ok)| all - ok);
            assert_eq!(texts[1], row["offered"].to_string(), "{texts:?}");
            assert_eq!(Some(texts[2].clone()), failed.map(|failed| failed.to_string()), "{texts:?}");
            // Microseconds, of which the text is a rounding; what is withheld is a dash.
            for (cell, of, figure) in [
                (4, "response_us", "p50"),
                (5, "response_us", "p95"),
                (7, "response_us", "p99"),
                (8, "response_us", "max"),
                (9, "service_us", "p50"),
                (11, "service_us", "p99"),
            ] {
                let wanted = row[of][figure].as_f64();
                assert_eq!(values[cell], Some(wanted.unwrap_or(-1.0)), "{figure} of {texts:?}");
                assert_eq!(texts[cell] == "–", wanted.is_none(), "{figure} of {texts:?}");
            }
            if let Some(grade) = row["grade"]["text"].as_str() {
                assert!(texts[12].starts_with(grade), "{texts:?}");
            }
            rows += 1;
        }
    }
    assert!(rows >= 10, "only {rows} rows were compared");
    // A chart for each of what a timeline holds.
    for title in ["Requests and iterations", "Response time", "In flight", "Lateness", "Own CPU", "Distribution"] {
        let titles = browser.value("[...document.querySelectorAll('.charts h3')].map(it => it.textContent).join('; ')");
        assert!(titles.as_str().is_some_and(|titles| titles.contains(title)), "{title} is not in {titles}");
    }
}

/// Presses Tab until `is_there` of the element that has the focus.
fn tab_to(browser: &mut Browser, is_there: &str) {
    for _ in 0..200 {
        browser.press("Tab");
        if browser.value(&format!("(it => {is_there})(document.activeElement)")) == Value::Bool(true) {
            let ring = browser.value("getComputedStyle(document.activeElement).outlineStyle");
            assert_ne!(ring, "none", "what has the focus must be seen to have it");
            return;
        }
    }
    panic!("no number of tabs leads to {is_there}");
}

fn tables_sort_by_keyboard(browser: &mut Browser) {
    let before: Vec<_> = shown(browser, 2);
    tab_to(browser, "it.matches('#rows-2 th button') && it.textContent === 'offered'");
    let state = "document.activeElement.parentElement.getAttribute('aria-sort')";
    let offered = |rows: &[(Vec<String>, Vec<Option<f64>>)]| {
        rows.iter().map(|(_, values)| values[1].unwrap_or_default() as i64).collect::<Vec<_>>()
    };
    for (order, sign) in [("descending", -1), ("ascending", 1)] {
        browser.press("Enter");
        assert_eq!(browser.value(state), order);
        let now = offered(&shown(browser, 2));
        assert!(now.is_sorted_by_key(|n| sign * n), "{order}: {now:?}");
        assert!(now.len() == before.len() && now[0] != now[now.len() - 1], "{now:?}");
    }
    browser.press("Enter");
    assert_eq!((browser.value(state), shown(browser, 2)), (Value::Null, before));
}

fn tables_filter_by_keyboard(browser: &mut Browser) {
    tab_to(browser, "it.matches('input[data-filters=rows-3]')");
    browser.write("SLOW");
    let left = shown(browser, 3);
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].0[0].contains("slow"), "{left:?}");
    browser.value("document.activeElement.select()");
    browser.write("nothing has this name");
    assert_eq!(shown(browser, 3).len(), 0);
    browser.value("document.activeElement.value = ''; document.activeElement.dispatchEvent(new Event('input'))");
    assert!(shown(browser, 3).len() > 3);
}

/// How bright the background is, and how far text stands out from it (WCAG 2.2, relative luminance and contrast).
fn brightness(browser: &mut Browser) -> (f64, f64) {
    let of = "(() => { const part = c => { c /= 255; return c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };\
        const of = rgb => { const [r, g, b] = rgb.match(/[\\d.]+/g).map(Number);\
          return .2126 * part(r) + .7152 * part(g) + .0722 * part(b); };\
        const style = getComputedStyle(document.body);\
        const [back, text] = [of(style.backgroundColor), of(style.color)];\
        return [back, (Math.max(back, text) + .05) / (Math.min(back, text) + .05)]; })()";
    serde_json::from_value(browser.value(of)).expect("two numbers")
}

fn the_theme_is_the_readers(browser: &mut Browser) {
    let (light, contrast) = brightness(browser);
    assert!(light > 0.9 && contrast > 7.0, "{light} {contrast}");
    browser.prefer("dark");
    let (dark, contrast) = brightness(browser);
    assert!(dark < 0.02 && contrast > 7.0, "{dark} {contrast}");
    keep(browser, "dark.png");
    // The button turns it round, whatever is preferred.
    tab_to(browser, "it.matches('button.theme')");
    browser.press("Enter");
    assert!(brightness(browser).0 > 0.9);
    browser.press("Enter");
    assert!(brightness(browser).0 < 0.02);
    browser.prefer("light");
    assert!(brightness(browser).0 < 0.02, "who has chosen, has chosen");
    browser.press("Enter");
}
