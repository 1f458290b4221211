//! What is found and what is not, by kind; encodings and places; hostile input.

use std::collections::BTreeSet;

use super::*;

/// The values of a kind in a text.
fn values(text: &str, kind: IocKind) -> Vec<String> {
    let options = IocOptions {
        kinds: vec![kind],
        ..IocOptions::default()
    };
    let report = extract(text.as_bytes(), &options);
    let mut items = report.items;
    items.sort_by_key(|item| item.offset);
    items.into_iter().map(|item| item.value).collect()
}

/// Asserts exactly these values of a kind.
#[track_caller]
fn check(kind: IocKind, text: &str, expected: &[&str]) {
    assert_eq!(values(text, kind), expected, "in {text}");
}

fn only(text: &[u8], kind: IocKind) -> Ioc {
    let report = extract(text, &IocOptions::default());
    let mut items = report.items.into_iter().filter(|item| item.kind == kind);
    let item = items.next().expect("one is there");
    assert_eq!(items.next(), None);
    item
}

#[test]
fn ipv4() {
    use IocKind::Ipv4;
    check(Ipv4, "from 45.9.148.3.", &["45.9.148.3"]);
    check(
        Ipv4,
        "45.9.148.3:8080, 45.9.148.4/24",
        &["45.9.148.3", "45.9.148.4"],
    );
    check(Ipv4, "45.9.148.3-45.9.148.9", &["45.9.148.3", "45.9.148.9"]);
    check(Ipv4, "ssh root@45.9.148.3", &["45.9.148.3"]);
    check(
        Ipv4,
        "(45.9.148.3) [45.9.148.4] <45.9.148.5>",
        &["45.9.148.3", "45.9.148.4", "45.9.148.5"],
    );
    check(
        Ipv4,
        "45[.]9[.]148[.]3 45.9.148[.]4 45(.)9(.)148(.)5",
        &["45.9.148.3", "45.9.148.4", "45.9.148.5"],
    );
    check(
        Ipv4,
        "45.9.148[.5 and 45 [dot] 9 [dot] 148 [dot] 6",
        &["45.9.148.5", "45.9.148.6"],
    );
}

#[test]
fn versions_and_identifiers_are_no_ipv4() {
    for text in [
        "version 1.2.3.4",
        "Version=4.0.0.0, Culture=neutral",
        "<assemblyIdentity version=\"6.0.0.1\" name=\"x\"/>",
        "v1.2.3.4",
        "FileVersion: 10.0.19041.1",
        "product_version = 2.3.4.5",
        "OpenSSL 1.1.1.1",
        "upgraded from 1.2.3.4 to 1.2.3.5",
        "foo-1.2.3.4.tar.gz lib_1.2.3.4_amd64.deb 1.2.3.4-rc1",
        "Chrome/120.0.0.0 Safari/537.36",
        "pkg==1.2.3.4 >=1.2.3.4 ~1.2.3.4 ^1.2.3.4",
        "1.2.3.4 Introduction",
        "see section 4.2.1.3",
        "oid 1.3.6.1.4.1.311",
        ".1.3.6.1 2.5.29.15 2.5.4.3",
        "1.2.3 1.2.3.4.5 256.1.1.1 01.02.03.04 1.2.3.400",
        "2024.11.23.1 23.11.2024",
        "1.0.0.0",
        "build 7.6.5.4, revision 8.7.6.5",
        "firmware 3.14.15.92",
    ] {
        check(IocKind::Ipv4, text, &[]);
    }
}

#[test]
fn special_addresses_are_kept_with_low_confidence() {
    for (text, flag) in [
        ("10.1.2.30", Flag::Private),
        ("192.168.77.1", Flag::Private),
        ("127.0.0.1", Flag::Loopback),
        ("169.254.1.1", Flag::LinkLocal),
        ("203.0.113.9", Flag::Documentation),
        ("239.255.255.250", Flag::Multicast),
        ("0.0.0.0", Flag::Reserved),
        ("8.8.8.8", Flag::WellKnown),
    ] {
        let item = only(format!("host {text} seen").as_bytes(), IocKind::Ipv4);
        assert_eq!(item.confidence, Confidence::Low, "{text}");
        assert!(item.flags.contains(&flag), "{text}");
    }
}

#[test]
fn ipv6() {
    use IocKind::Ipv6;
    check(Ipv6, "peer [2a01:4f8::1:2]:443", &["2a01:4f8::1:2"]);
    check(
        Ipv6,
        "2001:DB8::1/64, fe80::1%eth0",
        &["2001:db8::1", "fe80::1"],
    );
    check(
        Ipv6,
        "loopback ::1 and ::ffff:45.9.148.3",
        &["::1", "::ffff:45.9.148.3"],
    );
    check(
        Ipv6,
        "2a01:4f8:0:1:2:3:4:5: timeout",
        &["2a01:4f8:0:1:2:3:4:5"],
    );
    check(Ipv6, "2001[:]67c[:]1c28[:][:]99", &["2001:67c:1c28::99"]);
    for text in [
        "a::b dead::beef c::d::e std::vector abc::d1 1::2",
        "00:1a:2b:3c:4d:5e 12:34:56 2024-01-02T12:34:56",
        "B2:FF:99:26:B0:6B:41:FD:DD:07:88:67:90:51:F8:5D",
        "01:23:45:67:89:ab:cd:ef",
        "face::b00c() fd00::add( ::",
        "ea::b2::c3 x2001::1 2001:db8::g",
    ] {
        check(Ipv6, text, &[]);
    }
}

#[test]
fn domains() {
    use IocKind::Domain;
    check(
        Domain,
        "resolved evil-host.cn, and a.b.evil.com.br.",
        &["evil-host.cn", "a.b.evil.com.br"],
    );
    check(
        Domain,
        "EVIL.COM and EvilCorp.com",
        &["evil.com", "evilcorp.com"],
    );
    check(
        Domain,
        "evil[.]com bad(.)ru ugly [dot] io worse{.}top",
        &["evil.com", "bad.ru", "ugly.io", "worse.top"],
    );
    check(
        Domain,
        "xn--bcher-kva.example.net b\u{fc}cher.de",
        &["xn--bcher-kva.example.net", "b\u{fc}cher.de"],
    );
    check(
        Domain,
        "\u{8bbf}\u{95ee}evil.com\u{7f51}\u{7ad9}",
        &["evil.com"],
    );
    check(
        Domain,
        "evil.com/gate.php evil.net:8080",
        &["evil.com", "evil.net"],
    );
    check(
        Domain,
        "www.onet.pl and resolved wp.pl and c2: evil.sh",
        &["www.onet.pl", "wp.pl", "evil.sh"],
    );
    check(
        Domain,
        "expyuzz4wqqyqhjn.onion stats.i2p",
        &["expyuzz4wqqyqhjn.onion", "stats.i2p"],
    );
    check(
        Domain,
        "resolved tobe.dev mail.some.app",
        &["tobe.dev", "mail.some.app"],
    );
}

#[test]
fn files_and_code_are_no_domains() {
    for text in [
        "kernel32.dll main.rs readme.md foo.so.1 libc.so.6 a.out index.html data.zip run.pl x.mov",
        "install.sh script.py config.json Makefile.am configure.ac foo.cc.o id_rsa.pub archive.tar.bz",
        "log4j.properties Safari.app sprite@2x.app COMMAND.COM eicar.com",
        "java.lang.String System.Net.Http System.IO org.apache.commons.io com.apple.finder",
        "std::io::Error obj.method.com() self.name this.id user.info.map[0] console.info(",
        "System.Net.Sockets Foo.Bar.Name com.example.foo.app org.w3c.dom",
        "1.2.is v1.2.3.4 3.14.co 2x.png",
        "C:\\x\\evil.com /opt/x/evil.com",
        "@app.route @angular.core",
        "end of sentence.It goes on.Then",
        "e.g. i.e. etc...",
        ".data.rel.ro .rela.plt.got .note.gnu.property",
        "urn:schemas-microsoft-com:asm.v1",
        "window.top event.target.name os.path.is",
        "foo.unknownsuffix -.com a..com .com",
    ] {
        check(IocKind::Domain, text, &[]);
    }
}

#[test]
fn urls() {
    use IocKind::Url;
    check(
        Url,
        "see (http://evil.com/a_(b)).",
        &["http://evil.com/a_(b)"],
    );
    check(
        Url,
        "[x](https://evil.com/x?y=1&z=2#f), **http://evil.com/b**",
        &["https://evil.com/x?y=1&z=2#f", "http://evil.com/b"],
    );
    check(
        Url,
        "<a href='http://Evil.COM:8080/Path'>",
        &["http://evil.com:8080/Path"],
    );
    check(
        Url,
        "hxxp://evil[.]com/a hXXps[:]//bad[.]ru/b meow://ugly.io/c",
        &["http://evil.com/a", "https://bad.ru/b", "http://ugly.io/c"],
    );
    check(
        Url,
        "ftp://user:p@ss@evil.com/x",
        &["ftp://user:p@ss@evil.com/x"],
    );
    check(
        Url,
        "http://[2a01:4f8::1]:80/x http://45.9.148.3/y",
        &["http://[2a01:4f8::1]:80/x", "http://45.9.148.3/y"],
    );
    check(
        Url,
        r#"{"u":"https:\/\/evil.com\/x"}"#,
        &["https://evil.com/x"],
    );
    check(
        Url,
        "http://evil.com/a,http://evil.com/b",
        &["http://evil.com/a", "http://evil.com/b"],
    );
    check(Url, "xhttp://evil.com/", &["http://evil.com/"]);
    check(
        Url,
        "http://evil.com/%s/x http://evil.com/a\0b",
        &["http://evil.com/%s/x", "http://evil.com/a"],
    );
    for text in [
        "http://%s/x",
        "http://{host}/",
        "http://",
        "://",
        "http:///x",
        "foo://bar",
        "http://999.1.1.1/",
    ] {
        check(Url, text, &[]);
    }
    let item = only(b"xmlns=\"http://schemas.microsoft.com/x\"", Url);
    assert_eq!(item.confidence, Confidence::Low);
    assert!(item.flags.contains(&Flag::WellKnown));
    let item = only(b"go to hxxp://evil.com/x now", IocKind::Domain);
    assert!(item.defanged && item.flags.contains(&Flag::InUrl));
}

#[test]
fn emails() {
    use IocKind::Email;
    check(
        Email,
        "<joe.doe+x@evil.com>, to=jane@bad.co.uk.",
        &["joe.doe+x@evil.com", "jane@bad.co.uk"],
    );
    check(
        Email,
        "joe[at]evil[.]com jane (at) bad (dot) ru eve[@]ugly.io",
        &["joe@evil.com", "jane@bad.ru", "eve@ugly.io"],
    );
    for text in [
        "user@localhost icon@2x.png @scope/pkg git@v1.2 pkg@1.2.3",
        "@app.route @2x.app image@3x.zip root@45.9.148.3",
        "git@github.com:a/b.git",
    ] {
        check(Email, text, &[]);
    }
    check(IocKind::Domain, "joe.name@evil.com", &["evil.com"]);
}

#[test]
fn digests() {
    let md5 = "a683b4ec0146c241d520c21fbc09f251";
    let sha1 = "21e59bbbcadf9981516c0788801f016966befa8e";
    let sha256 = "2b67d8768039a18933e1e8a4bb56fdc8d820f0b1bffeefb4f59124838f13bf36";
    check(IocKind::Md5, &format!("md5: {md5}"), &[md5]);
    check(IocKind::Md5, &format!("|{}|", md5.to_uppercase()), &[md5]);
    check(IocKind::Sha1, sha1, &[sha1]);
    check(IocKind::Sha256, &format!("sha256={sha256},"), &[sha256]);
    check(IocKind::Sha512, &format!("{sha256}{sha256}"), &[]);
    let labelled = only(format!("md5: {md5}").as_bytes(), IocKind::Md5);
    assert_eq!(labelled.confidence, Confidence::High);
    for text in [
        format!("{md5}0 0{md5}"),
        "00000000000000000000000000000000".to_owned(),
        "0123456789abcdef0123456789abcdef".to_owned(),
        "12345678901234567890123456789012".to_owned(),
        "deadbeefdeadbeefdeadbeefdeadbeef".to_owned(),
        "A683b4ec0146c241d520c21fbc09f251".to_owned(),
        "0ce3f36b-e9ea-7f0d-3fe8-5d35de23e29c".to_owned(),
        format!("x_{md5}"),
        "a683b4ec0146c241d520c21fbc09f25g".to_owned(),
    ] {
        check(IocKind::Md5, &text, &[]);
    }
    check(IocKind::Sha256, &format!("tx 0x{sha256}"), &[]);
}

#[test]
fn currencies_need_their_checksums() {
    use IocKind::{Btc, Eth, Xmr};
    // The address of the first block, and the examples of BIP 173 and 350.
    let first = "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa";
    check(Btc, &format!("pay {first} now"), &[first]);
    check(Btc, "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", &[]);
    check(
        Btc,
        "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
        &["bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"],
    );
    check(Btc, "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5", &[]);
    let taproot = "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0";
    check(Btc, taproot, &[taproot]);
    // An example of EIP-55.
    let eip55 = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    check(Eth, &format!("to {eip55}"), &[eip55]);
    check(Eth, "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", &[]);
    check(Eth, "0x0000000000000000000000000000000000000000", &[]);
    // The donation address of the Monero project.
    let monero = "888tNkZrPN6JsEgekjMnABU4TBzc2Dt29EPAvkRxbANsAnjyPbb3iQ1YBRk1UXcdRsiKc9dhwMVgN5S9cQUiyoogDavup3H";
    check(Xmr, monero, &[monero]);
    check(Xmr, &monero.replace("888t", "888u"), &[]);
}

#[test]
fn paths_keys_and_names() {
    use IocKind::{Cve, FilePath, Guid, Mutex, RegistryKey, UserAgent};
    check(
        FilePath,
        r#"drops "C:\Users\Public\a b.exe" and C:\Temp\x.exe, ok"#,
        &[r"C:\Users\Public\a b.exe", r"C:\Temp\x.exe"],
    );
    check(
        FilePath,
        r"C:\Program Files (x86)\Foo Bar\a.exe -k run",
        &[r"C:\Program Files (x86)\Foo Bar\a.exe"],
    );
    check(
        FilePath,
        r#""C:\\Windows\\Temp\\a.dll\n""#,
        &[r"C:\Windows\Temp\a.dll"],
    );
    check(
        FilePath,
        r"%APPDATA%\Foo\x.exe \\server\share$\y.bat \\.\pipe\evilpipe",
        &[
            r"%APPDATA%\Foo\x.exe",
            r"\\server\share$\y.bat",
            r"\\.\pipe\evilpipe",
        ],
    );
    check(
        FilePath,
        "preload /tmp/.x/y.so; cat /etc/passwd|sh ~/.ssh/id_rsa",
        &["/tmp/.x/y.so", "/etc/passwd", "~/.ssh/id_rsa"],
    );
    for text in [
        r"C:\ and D:\",
        r"[A-Z]:\\d+\\\w+",
        r"usage:\n",
        "/tmp and/or /",
        r"^/usr/(local|bin)/.*",
        "a/tmp/b",
        "/var/log/*.log",
    ] {
        check(FilePath, text, &[]);
    }
    check(
        RegistryKey,
        r"sets HKLM\Software\Microsoft\Windows NT\CurrentVersion\Run\x and HKCU\Software\Y.",
        &[
            r"HKLM\Software\Microsoft\Windows NT\CurrentVersion\Run\x",
            r"HKCU\Software\Y",
        ],
    );
    check(
        RegistryKey,
        r"HKLM:\Software\Foo HKEY_CURRENT_USER\\Software\\Bar",
        &[r"HKLM\Software\Foo", r"HKEY_CURRENT_USER\Software\Bar"],
    );
    check(RegistryKey, r"HKLM\ alone", &[]);
    check(
        Mutex,
        r"mutex Global\evil_mutex, Local\{1234}",
        &[r"Global\evil_mutex", r"Local\{1234}"],
    );
    check(Mutex, r"C:\Global\evil_mutex", &[]);
    check(
        Guid,
        "{0CE3F36B-e9ea-7f0d-3fe8-5d35de23e29c}",
        &["0ce3f36b-e9ea-7f0d-3fe8-5d35de23e29c"],
    );
    check(
        Cve,
        "cve-2021-44228. CVE-2024-123 CVE-1800-12345",
        &["CVE-2021-44228"],
    );
    check(UserAgent, "User-Agent: Foo/1.0 (evil)", &["Foo/1.0 (evil)"]);
}

#[test]
fn places_in_all_encodings() {
    let url = "http://evil.com/a";
    let narrow: Vec<u8> = url.bytes().collect();
    let little: Vec<u8> = url.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = url.encode_utf16().flat_map(u16::to_be_bytes).collect();
    for (bytes, encoding) in [
        (&narrow, Encoding::Ascii),
        (&little, Encoding::Utf16Le),
        (&big, Encoding::Utf16Be),
    ] {
        for pad in [0_usize, 1, 6, 7] {
            // 0x9f neither prints nor ends a string.
            let mut data = vec![0x9f; pad];
            data.extend_from_slice(bytes);
            data.extend([0x9f; 5]);
            let item = only(&data, IocKind::Url);
            assert_eq!((item.value.as_str(), item.encoding), (url, encoding));
            assert_eq!(item.offset, pad as u64, "{encoding:?}");
            assert_eq!(item.raw, url);
        }
    }
    // A stray byte that prints, then a string of UTF-16.
    let mut data = b"\x9f\x9fh\0".to_vec();
    data.extend("45.9.148.3".encode_utf16().flat_map(u16::to_le_bytes));
    data.extend([0, 0]);
    let item = only(&data, IocKind::Ipv4);
    assert_eq!((item.value.as_str(), item.offset), ("45.9.148.3", 4));
}

#[test]
fn defanged_values_keep_their_place_and_their_form() {
    let item = only(b"..... evil [dot] com .....", IocKind::Domain);
    assert_eq!(item.value, "evil.com");
    assert_eq!(item.raw, "evil [dot] com");
    assert_eq!(item.offset, 6);
    assert!(item.defanged);
    assert_eq!(item.confidence, Confidence::High);
}

#[test]
fn values_are_merged_and_lists_bounded() {
    let text = "evil.com\n".repeat(100);
    let item = only(text.as_bytes(), IocKind::Domain);
    assert_eq!(item.occurrences, 100);
    assert_eq!(item.offsets.len(), IocOptions::default().most_offsets);
    assert_eq!(item.offsets.get(..2), Some([0, 9].as_slice()));

    let text: String = (0..500)
        .map(|number| format!("evil{number}.com 10.0.0.{number}\n"))
        .collect();
    let options = IocOptions {
        most_items: 10,
        ..IocOptions::default()
    };
    let report = extract(text.as_bytes(), &options);
    assert!(report.truncated);
    assert_eq!(report.items.len(), 10);
    assert_eq!(report.totals.get(&IocKind::Domain), Some(&500));
    let options = IocOptions {
        min_confidence: Confidence::Medium,
        ..IocOptions::default()
    };
    let report = extract(text.as_bytes(), &options);
    assert_eq!(report.totals.get(&IocKind::Ipv4), None);
    assert_eq!(report.suppressed.get(&Reason::BelowConfidence), Some(&255));
}

#[test]
fn what_crosses_windows_is_found_once() {
    let mut line = "x ".repeat(200_000).into_bytes();
    let places: BTreeSet<u64> = [0_u64, 65_500, 65_536, 131_060, 399_900].into();
    for place in &places {
        let at = usize::try_from(*place).unwrap();
        line[at..at + 24].copy_from_slice(b" http://evil.com/longer ");
    }
    let wide: Vec<u8> = line.iter().flat_map(|byte| [*byte, 0]).collect();
    for (data, scale) in [(line, 1), (wide, 2)] {
        let item = only(&data, IocKind::Url);
        let found: BTreeSet<u64> = item
            .offsets
            .iter()
            .map(|offset| offset / scale - 1)
            .collect();
        assert_eq!(found, places);
        assert_eq!(item.occurrences, 5);
    }
}

#[test]
fn nothing_and_zeros() {
    assert_eq!(extract(&[], &IocOptions::default()), IocReport::default());
    assert_eq!(
        extract(&vec![0; 1 << 20], &IocOptions::default()),
        IocReport::default()
    );
}

/// A small generator, so that a failure can be repeated.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }
}

#[test]
fn mutated_input_never_panics() {
    let text = "hxxp://evil[.]com/a?b=[x](http://[2a01::1]:80/) joe [at] evil [dot] com \u{fc}\u{4e2d}.de \
        45[.]9.148.3-45.9.148.4 C:\\Program Files\\a b\\c.exe HKLM\\Software\\Microsoft\\x /tmp/.x/$y \
        0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4 \
        1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa a683b4ec0146c241d520c21fbc09f251 Global\\abcdef \
        {0ce3f36b-e9ea-7f0d-3fe8-5d35de23e29c} CVE-2021-44228 Mozilla/5.0 (X11) https:\\/\\/a.com\\/b";
    let narrow = text.as_bytes().to_vec();
    let wide: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut random = Random(7);
    for round in 0..1500 {
        let mut data = if round % 2 == 0 {
            narrow.clone()
        } else {
            wide.clone()
        };
        for _ in 0..=random.below(12) {
            let at = random.below(data.len());
            let byte = [
                0, 0xff, b'.', b'[', b']', b':', b'\\', b' ', 0xc3, 0xe4, b'@', b'/',
            ][random.below(12)];
            match random.below(4) {
                0 => data[at] = byte,
                1 => data[at] ^= 1 << random.below(8),
                2 => data.insert(at, byte),
                _ => data.truncate(at.max(20)),
            }
        }
        let report = extract(&data, &IocOptions::default());
        for item in &report.items {
            assert!(item.offset < data.len() as u64, "{item:?}");
            assert!(!item.value.is_empty() && !item.raw.is_empty(), "{item:?}");
        }
    }
}
