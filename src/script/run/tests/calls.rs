//! Calls made directly give what they give when Rhai makes them: requests, results, errors and their places.

use proptest::prelude::*;

use super::*;

/// What a flow did: the requests it sent, how it ended, and what it counted.
#[derive(Debug, PartialEq)]
struct Course {
    sent: Vec<String>,
    end: End,
    checks: Vec<(String, u64, u64)>,
    counted: String,
}

const BODY: &str = r#"{"id": 7, "name": "ann", "list": [1, 2, 3]}"#;

/// Runs a script's first flow twice over, so that what the first run leaves is there in the second.
fn course(text: &str, calls: Calls) -> Option<Vec<Course>> {
    let text = format!("let api = target(\"http://127.0.0.1:1\");\n{text}\nphase(\"p\").run(main).iterations(1);");
    let stage = Stage::try_new(&text, calls).ok()?;
    let run = || {
        let (sent, end) = stage.exchange(|_| reply(200, "X-A: b\r\n", BODY));
        let figures = stage.figures();
        let checks = figures.checks.iter().map(|(name, counts)| (name.to_string(), counts.passed, counts.failed));
        Course { sent, end, checks: checks.collect(), counted: format!("{:?}", figures.custom) }
    };
    Some(vec![run(), run()])
}

/// On a stack as deep as a worker's.
fn on_deep_stack<R: Send>(work: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| {
        let worker = std::thread::Builder::new().stack_size(64 << 20).spawn_scoped(scope, work);
        worker.expect("a thread").join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Both courses of a script that is right at its top level.
#[track_caller]
fn assert_same(text: &str) {
    let [direct, of_rhai] = on_deep_stack(|| [Calls::Direct, Calls::OfRhai].map(|calls| course(text, calls)));
    assert!(direct.is_some(), "the script does not load:\n{text}");
    assert_eq!(direct, of_rhai, "\n{text}");
}

fn flow(body: &str) -> String {
    format!("let main = flow(\"f\", |vu| {{\n{body}\n}});")
}

#[test]
fn values_go_in_and_come_out() {
    for body in [
        "let res = vu.get(\"/a\"); check(\"ok\", res.status == 200); count(\"sold\", res.json(\"id\"));",
        "let path = \"/a\"; vu.get(path); vu.get(`${path}/b`); vu.post(path, #{ id: 1, at: path });",
        "vu.token = 5; vu.get(`/t/${vu.token}`); vu.token += 1; vu.get(`/t/${vu.token}`);",
        "let list = vu.get(\"/a\").json(\"list\"); for n in list { if n == 2 { continue; } vu.get(`/n/${n}`); }",
        "for n in 0..3 { let res = vu.get(`/n/${n}`); if res.json(\"id\") == 7 && n == 1 { break; } }",
        "let res = vu.get(\"/a\"); let again = res; check(\"same\", again.status == res.status);",
        "let res = vu.get(\"/a\"); check(\"chain\", vu.post(\"/b\", [1]).expect(200).json(\"name\") == \"ann\");",
        "let n = if vu.id == 3 { vu.get(\"/x\").status } else { 0 }; count(\"n\", n); return n;",
        "let res = vu.get(\"/a\"); switch res.status { 200 => count(\"fine\"), _ => count(\"not\") }",
        "let n = 0; while n < 3 { n += vu.get(\"/w\").json(\"list\").len(); } count(\"n\", n);",
        "let by = |res| res.status; check(\"closure\", by.call(vu.get(\"/a\")) == 200);",
        "let all = [1, 2].map(|n| vu.get(`/m/${n}`).status); check(\"all\", all == [200, 200]);",
        "let res = vu.get(\"/a\"); let inner = || { check(\"captured\", res.status == 200); res.json(\"id\") }; count(\"id\", inner.call());",
        "let log = []; log.push(int(7, 7)); count(\"len\", log.len()); count(\"drawn\", log[0]);",
        "let res = vu.get(\"/a\"); check(\"header\", res.header(\"x-a\") == \"b\" && res.header(\"none\") == ());",
        "vu.group(\"g\", |vu| { let res = vu.get(\"/in\"); check(\"in\", res.status == 200); });",
        "let seen = #{}; seen.status = vu.get(\"/a\").status; check(\"map\", seen.status == 200); seen.get = 4; count(\"get\", seen.get);",
        "const RES = vu.get(\"/a\"); check(\"of a constant\", RES.status == 200 && RES.json(\"id\") == 7);",
        "let o = (); check(\"optional\", o?.status == ()); let r = vu.get(\"/\"); check(\"there\", r?.status == 200);",
        "vu.send(get(\"/built\").header(\"A\", \"b\")); vu.send(post(\"/p\").json(#{ a: int(1, 1) }).check(\"c\", |r| r.status == 200));",
        "let m = vu.get(\"/a\").json(\"$\"); check(\"nested\", m.id == 7 && m.list.len() == 3 && m.name == \"ann\");",
        "check(\"more\", vu.get(\"/a\").json(\"list\").len() == 3 && vu.get(\"/b\").json(\"$\").name.len() == 3);",
        "let a = \"b\"; check(\"texts\", a == \"b\" && a != \"c\" && a < \"c\" && a >= \"b\" && !(a > \"z\") && a <= \"b\");",
        "check(\"mixed\", \"5\" != 5 && 'a' == \"a\" && 1 == 1.0 && [1] == [1] && #{ a: 1 } == #{ a: 1 } && true != false);",
        "let m = #{ get: |p| p + 1 }; count(\"own\", m.get(4)); let n = m.get.call(5); count(\"n\", n);",
        "let a = 1.5; check(\"floats\", a == 1.5 && a < 2 && 2 > a && a != \"x\" && () == () && 'c' < 'd' && \"a\" < \"b\");",
        "let n = 2; let s = if n == 1 { \"one\" } else if n == 2 { let n = 5; vu.get(`/n/${n}`); \"two\" } else { \"many\" }; count(s, n);",
        "let n = 1; if n == 1 { let n = 2; let m = 3; n += m; count(\"in\", n); } else { count(\"no\"); } count(\"out\", n);",
        "let n = 1; if n == 1 { const N = 4; let f = |x| x + n + N; n = f.call(1); } count(\"n\", n);",
        "if vu.id == 3 && vu.get(\"/a\").status == 200 || vu.get(\"/never\").ok { count(\"and\"); } if vu.id == 3 || vu.get(\"/never\").ok { } else { count(\"no\"); }",
        "let o = #{ a: 1.5, b: [1, \"x\"], c: () }; vu.get(`/${o.a}/${o.b}/${o.c}/${true}/${'c'}/${vu}/${1 + 1}/${o}`);",
        "let t = `${\"\"}`; vu.get(`/${t}${t}x${int(7, 7)}`); vu.post(`/p${`${1}`}`, `${#{ a: 1 }}`); if (t == \"\") { } else if t { }",
        "let t = true; if t { t = false; vu.get(\"/t\"); } else { vu.get(\"/f\"); } let all = [t || true, t && true]; check(\"all\", all[0] && !all[1]);",
        "if vu.id == 3 { if true { return 5; } } count(\"never\");",
        "let p = if true { int(3, 3) } else { 5 }; vu.think(p); let q = p; vu.think(q);",
        "let it = vu.get(\"/a\"); { let it = #{ status: 5 }; check(\"shadow\", it.status == 5); } check(\"back\", it.status == 200);",
    ] {
        assert_same(&flow(body));
    }
}

#[test]
fn functions_of_the_script_are_called() {
    for functions in [
        "fn visit(vu, path) { let res = vu.get(path); res.status } let main = flow(\"f\", |vu| { count(\"s\", visit(vu, \"/a\")); visit(vu, \"/b\"); });",
        "fn deep(n) { if n == 0 { 0 } else { 1 + deep(n - 1) } } let main = flow(\"f\", |vu| count(\"n\", deep(10)));",
        "fn endless(n) { endless(n + 1) } let main = flow(\"f\", |vu| endless(0));",
        "fn change(list) { list.push(1); list.len() } let main = flow(\"f\", |vu| { let l = []; change(l); count(\"l\", l.len()); });",
        "fn early(vu) { if vu.id == 3 { return 5; } 6 } let main = flow(\"f\", |vu| count(\"n\", early(vu)));",
        "fn check(name, what) { count(name) } let main = flow(\"f\", |vu| check(\"own\", true));",
        "fn get(vu) { 3 } let main = flow(\"f\", |vu| { count(\"n\", get(vu)); vu.get(\"/a\"); });",
        "fn empty() {} let main = flow(\"f\", |vu| { let it = empty(); check(\"nothing\", it == ()); });",
        "fn own() { let n = 1; n += 1; n } let main = flow(\"f\", |vu| { let n = 10; count(\"n\", n + own()); count(\"n\", n); });",
        "fn throws() { throw \"no\" } let main = flow(\"f\", |vu| { try { throws(); } catch(e) { check(e, true); } throws(); });",
        "fn within(vu) { vu.fail(\"enough\") } let main = flow(\"f\", |vu| { try { within(vu); } catch { count(\"never\"); } });",
        "fn double() { this * 2 } let main = flow(\"f\", |vu| { let n = 4; count(\"n\", n.double()); });",
        "fn a(x) { b(x) + 1 } fn b(x) { c(x) + 1 } fn c(x) { x.nothing } let main = flow(\"f\", |vu| a(#{}));",
        "fn two(a, b) { a - b } let main = flow(\"f\", |vu| { let n = 0; count(\"d\", two(vu.get(\"/1\").status, vu.get(\"/2\").status)); two(1); });",
        "let api2 = target(\"http://127.0.0.1:2\"); let main = flow(\"f\", |vu| { vu.send(api2.get(\"/x\")); });",
        "let keys = zipf(10, 1.0); let main = flow(\"f\", |vu| { vu.get(`/k/${keys.next()}`); vu.get(`/k/${keys}`); });",
        "let main = flow(\"f\", |vu| vu.get(\"/short\"));",
        "fn grow(t, n) { if n == 0 { return t.len(); } grow(`${t}${t}`, n - 1) } let main = flow(\"f\", |vu| { count(\"len\", grow(\"0123456789abcdef\", 10)); grow(\"0123456789abcdef\", 20); });",
        "fn sign(n) { if n < 0 { \"minus\" } else if n == 0 { \"none\" } else { \"plus\" } } let main = flow(\"f\", |vu| { count(sign(-1)); count(sign(0)); count(sign(1)); sign(()); });",
    ] {
        assert_same(functions);
    }
}

#[test]
fn mistakes_are_told_at_the_same_place() {
    for body in [
        "let a = 1;\n  vu.get(5);",
        "vu.get(\"/a\").json(\"$\").nothing",
        "vu.get(\"/a\").json(\"id\").status",
        "let a = [1]; a < 2",
        "vu < 2; vu == 2",
        "vu.get(\"/a\").expect(\"x\");",
        "vu.get(\"/a\").json(\"list\").contains(1, 2, 3)",
        "let res = vu.get(\"/a\");\n res.json(1, 2, 3);",
        "check(\"x\", 5);",
        "check(5, true);",
        "check(\"x\");",
        "count(\"x\", -1);",
        "count(\"x\", \"y\");",
        "\n int(5, 1);",
        "\n   int(\"a\", 1);",
        "let m = #{};\n m.status",
        "let m = #{};\n m.get(\"/x\")",
        "let text = \"x\";\n text.status",
        "let n = 5; n.get(\"/x\")",
        "vu.think(5);",
        "vu.nothing",
        "vu.status = 5; count(\"own\", vu.status);",
        "let res = vu.get(\"/a\");\n res.status = 5;",
        "phase(\"late\");",
        "let res = vu.get(\"/a\");\n check(\"both\", res.status == vu.get(res.json(\"list\")).status);",
        "const V = 5; V.get(\"/x\");",
        "throw #{ code: 5 };",
        "let f = |x| x.status; f.call(5);",
        "let res = vu.get(\"/a\"); res.expect(201); vu.fail(\"seen\");",
        "if vu.get(\"/a\").status { }",
        "if\n  vu.id { } else { }",
        "let a = true &&\n vu.id;",
        "let a = false || vu.get(\"/a\").json(\"name\") || true;",
        "if true { let a = 1; a.nothing }",
        "if true {\n  vu.get(\"/a\").nothing }",
        "vu.get(`/${vu.get(\"/a\").nothing}`);",
        "let p = if true { 3 + int(1, 1) } else { 5 }; vu.think(p);",
        "[1, 2].map(|n| n.status);",
        "vu.stop(); count(\"never\");",
        "vu.abort(\"over\");",
        "vu.get();",
    ] {
        assert_same(&flow(body));
    }
}

#[test]
fn functions_that_call_each_other_again_and_again_are_ended() {
    // 2^30 calls, though no deeper than thirty.
    let functions: String = (0..30).map(|n| format!("fn f{n}(n) {{ f{m}(f{m}(n)) }} ", m = n + 1)).collect();
    let text = format!("{functions} fn f30(n) {{ n }} let main = flow(\"f\", |vu| f0(vu.id));");
    let course = on_deep_stack(|| course(&text, Calls::Direct)).expect("it loads");
    let End::Fault(fault) = &course[0].end else { panic!("{course:?}") };
    assert!(fault.message.contains("ran for a second") || fault.message.contains("operations"), "{}", fault.message);
}

#[test]
fn what_words_give_is_bounded() {
    let long = "x".repeat(crate::script::engine::STRING_BYTES_MAX + 1);
    let many = format!("[{}1]", "1,".repeat(crate::script::ITEMS_MAX));
    for (body, read) in [(&long, "vu.get(\"/a\").text"), (&many, "vu.get(\"/a\").json(\"$\")")] {
        for flow in [format!("let kept = {read}; count(\"kept\");"), format!("vu.post(\"/b\", {read});")] {
            with_flow(&flow, |stage| {
                let (sent, end) = stage.exchange(|_| reply(200, "", body));
                assert!(matches!(end, End::Fault(_)), "{end:?} of {flow}");
                assert_eq!(sent.len(), 1, "{flow}");
            });
        }
    }
}

/// Statements that use what others of them leave behind.
const STATEMENTS: &[&str] = &[
    "let a = vu.get(\"/a\");",
    "let b = vu.post(\"/b\", #{ n: n });",
    "let a = n + 1;",
    "let b = \"text\";",
    "n += 1;",
    "n = add(n, 2);",
    "n = add(n, int(3, 3));",
    "check(\"a\", a == b);",
    "check(\"status\", a.status == 200);",
    "count(\"n\", n);",
    "count(`n${n % 3}`);",
    "b = a;",
    "a = #{ status: n, get: 5 };",
    "list.push(a);",
    "n += list.len();",
    "let f = |x| x + n; n = f.call(1);",
    "const C = n; n = C + 1;",
    "let n = n + 1;",
    "let n = vu.get(\"/own\").status;",
    "if n > 100 { throw n; }",
    "switch n { 1 => visit(vu, \"/one\"), _ => count(\"other\") }",
    "vu.own = n;",
    "n = vu.own;",
    "n = a.json(\"id\");",
    "vu.get(`/n/${n}`).expect(200);",
    "if n > 5 { return n; }",
    "visit(vu, `/v/${n}`);",
    "n = twice(|| add(n, 1));",
    "try { n = a.status + 1; } catch { n = 0; }",
    "vu.get(b);",
    "if n > 2 && a != () { let a = `${n}`; b = a; } else if n > 1 || list.len() > 1 { const K = 3; n = K; } else { n = 7; }",
    "b = `${a}/${b}/${n}`;",
    "let c = if n > 3 || n == 1 { n + 1 } else { `${n}` };",
    "check(\"both\", n > 1 && visit(vu, \"/and\") == 200);",
    "check(\"in\", list.contains(n) || visit(vu, \"/or\") == 200);",
];

fn statements() -> impl Strategy<Value = String> {
    let one = (0..STATEMENTS.len()).prop_map(|at| STATEMENTS[at].to_owned());
    let leaf = prop::collection::vec(one, 1..6).prop_map(|all| all.join("\n"));
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|body| format!("if n % 2 == 0 {{\n{body}\n}} else {{ count(\"odd\"); }}")),
            inner.clone().prop_map(|body| format!("for i in 0..2 {{\n{body}\n}}")),
            inner.clone().prop_map(|body| format!("{{\n{body}\n}}")),
            inner.clone().prop_map(|body| format!("vu.group(\"g\", |vu| {{\n{body}\n}});")),
            (inner.clone(), inner).prop_map(|(one, other)| format!("{one}\n{other}")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written(body in statements()) {
        let text = format!(
            "fn add(a, b) {{ a + b }}\n\
             fn visit(vu, path) {{ let res = vu.get(path); res.status }}\n\
             fn twice(f) {{ f.call(); f.call() }}\n\
             let main = flow(\"f\", |vu| {{\nlet n = 1; let a = 2; let b = 3; let list = [1];\n{body}\n}});"
        );
        let [direct, of_rhai] = on_deep_stack(|| [Calls::Direct, Calls::OfRhai].map(|calls| course(&text, calls)));
        prop_assert!(direct.is_some(), "the script does not load:\n{text}");
        prop_assert_eq!(direct, of_rhai, "\n{}", text);
    }
}
