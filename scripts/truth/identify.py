"""What kind of file it is, against file(1) 5.44 and the packer by construction.

`score` yields (field, item, expected, got). The media type has to be equal,
save for the equivalents below; of file(1)'s wording, which is bound to its
version, only facts are compared. docs/disagreements.md argues the rest.
"""

import json
import re

# (theirs, ours): file(1) knows the container only, or has no name.
EQUIVALENT = {
    ("application/octet-stream", "application/x-dosexec"),
    ("application/zip", "application/java-archive"),
    ("application/zip", "application/vnd.android.package-archive"),
    ("application/octet-stream", "application/zip"),
    ("application/octet-stream", "application/vnd.ms-cab-compressed"),
    ("application/CDFV2", "application/x-ole-storage"),
    ("application/x-java-applet", "application/java-vm"),
    # It knows few scripts by their tokens.
    ("text/plain", "application/javascript"),
    ("text/plain", "text/x-msdos-batch"),
    ("text/plain", "text/x-script.python"),
    ("text/plain", "text/x-perl"),
}
OOXML = "application/vnd.openxmlformats-officedocument."

# A word of file(1), and our kinds that it stands for. The first that matches.
CLASSES = [
    (r"^ELF", {"elf"}),
    (r"^PE(32)?\b", {"pe"}),
    (r"^MS-DOS executable", {"dos", "ne", "le", "lx", "pe"}),
    (r"^Mach-O universal", {"macho-universal"}),
    (r"^Mach-O", {"macho"}),
    (r"^compiled Java class", {"java-class"}),
    (r"^Zip archive, with extra data prepended", {"zip", "pe", "elf", "macho"}),
    (r"^(Zip|Java) archive", {"zip", "jar", "war", "apk", "wheel", "nupkg", "pyz"}),
    (r"OOXML|^Microsoft (Word|Excel|PowerPoint) 2007", {"docx", "xlsx", "pptx", "ooxml", "vsdx"}),
    (r"MSI Installer", {"msi"}),
    (r"^Composite Document.*(Word|Excel|PowerPoint)", {"doc", "xls", "ppt"}),
    (r"^Composite Document", {"ole", "ole-vba", "doc", "xls", "ppt", "msg", "vsd", "msi"}),
    (r"^7-zip", {"7z"}), (r"^bzip2", {"bzip2"}), (r"^gzip", {"gzip"}), (r"^XZ", {"xz"}),
    (r"^LZMA", {"lzma"}), (r"^LZ4", {"lz4"}), (r"^lzop", {"lzop"}), (r"^Zstandard", {"zstd"}),
    (r"tar archive", {"tar"}), (r"cpio archive", {"cpio"}), (r"^RAR", {"rar"}),
    (r"Cabinet", {"cab"}), (r"ar archive|Debian", {"ar", "deb"}), (r"^RPM", {"rpm"}),
    (r"Squashfs", {"squashfs"}), (r"Compressed ROM File", {"cramfs"}), (r"jffs2", {"jffs2"}),
    (r"romfs", {"romfs"}), (r"^UBIfs", {"ubifs"}), (r"^UBI", {"ubi"}), (r"ext[234] filesystem", {"ext"}),
    (r"FAT \(|mkfs.fat", {"fat"}), (r"boot sector", {"mbr", "fat", "ntfs", "exfat", "gpt", "iso9660"}),
    (r"ISO 9660", {"iso9660"}), (r"uImage", {"uimage"}), (r"Device Tree", {"dtb"}),
    (r"ROM Ext", {"option-rom"}), (r"Android bootimg", {"android-boot"}), (r"Intel HEX", {"intel-hex"}),
    (r"^PDF", {"pdf"}), (r"^PNG", {"png"}), (r"^GIF", {"gif"}), (r"^JPEG", {"jpeg"}), (r"bitmap", {"bmp"}),
    (r"WebAssembly", {"wasm"}), (r"Python module|python.*byte-compiled", {"python-bytecode"}),
    (r"Dalvik", {"dex"}), (r"Lua bytecode", {"lua-bytecode"}), (r"SQLite", {"sqlite"}), (r"LLVM IR", {"llvm-bitcode"}),
    (r"private key", {"private-key"}), (r"PEM certificate request", {"certificate-request"}),
    (r"[Cc]ertificate", {"certificate"}), (r"^EICAR", {"eicar"}), (r"Rich Text", {"rtf"}),
    (r"shell script", {"shell-script"}), (r"Python script", {"python-script"}), (r"Perl script", {"perl-script"}),
    (r"Ruby script", {"ruby-script"}), (r"PHP script", {"php-script"}), (r"batch file", {"dos-batch"}),
    (r"Node.js|JavaScript", {"javascript"}), (r"HTML", {"html", "hta"}), (r"SVG", {"svg"}), (r"XML", {"xml", "plist", "svg", "html"}),
    (r"JSON", {"json", "ndjson"}), (r"^C\+\+ source|^C source", {"c-source", "cpp-source"}),
    (r"shortcut", {"lnk"}), (r"HtmlHelp", {"chm"}), (r"^empty", {"empty"}),
]
MACHINES = [
    (r"x86-64|x86_64", "x86-64"), (r"Intel 80386|i386", "x86"), (r"[Aa]arch64|arm64", "aarch64"),
    (r"\bARM\b", "arm"), (r"64-bit PowerPC", "powerpc64"), (r"PowerPC", "powerpc"),
    (r"MIPS64", "mips64"), (r"MIPS", "mips"), (r"RISC-V", "riscv"), (r"S/390", "s390"),
    (r"m68k", "m68k"), (r"SPARC V9", "sparc64"), (r"SPARC", "sparc"), (r"SuperH|Renesas SH", "sh"),
    (r"LoongArch", "loongarch"), (r"IA-64", "ia64"), (r"Alpha", "alpha"), (r"PA-RISC", "hppa"),
]


def score(corpus, run):
    """Compares every sample that is there."""
    truth = json.loads((corpus / "truth" / "visible-id.json").read_text())["data"]
    packers = json.loads((corpus / "truth" / "visible-packer.json").read_text())["data"]
    for path in sorted(set(truth) | set(packers)):
        if not (corpus / "samples" / path).is_file():
            continue
        identity = run("get_file_info", path)["identity"]
        if path in truth:
            yield from kind(path, truth[path], identity)
        if path in packers:
            packing = identity["packing"] or {"verdict": "none"}
            expected = "packed" if packers[path] else "not_packed"
            yield "packing", path, expected, packing["verdict"]
            names = {h["name"] for h in identity["hints"] if h["category"] in ("packer", "protector")}
            yield "packer", path, packers[path], next(iter(sorted(names)), None)


def kind(path, theirs, identity):
    mime = theirs["mime"].split(",")[0]
    yield "mime", path, mime, mime if equivalent(theirs, identity) else identity["mime"]
    words = theirs["file"]
    for pattern, kinds in CLASSES:
        if re.search(pattern, words):
            got = identity["kind"]
            yield "class", path, pattern, pattern if got in kinds else got
            break
    else:
        if re.search(r"\btext\b", words):
            charset = identity["charset"]
            yield "class", path, "text", "text" if charset else identity["kind"]
    if re.search(r"\btext\b", words) and "executable (binary" not in words:
        yield from text(path, words, identity)
    if re.match(r"(ELF|PE|PE32|Mach-O)\b", words):
        yield from executable(path, words, identity)


def equivalent(theirs, identity):
    mime, ours = theirs["mime"].split(",")[0], identity["mime"]
    if mime == ours or (mime, ours) in EQUIVALENT:
        return True
    if mime in ("application/octet-stream", "application/zip") and ours.startswith(OOXML):
        return True
    # file(1) names what is appended; the program comes first for an analyst.
    if "extra data prepended" in theirs["file"]:
        return any(h["category"] == "polyglot" and h["name"].lower() == "zip" for h in identity["hints"])
    return False


def text(path, words, identity):
    for pattern, charset in [
        ("UTF-8", "utf-8"), ("UTF-16, little", "utf-16le"), ("UTF-16, big", "utf-16be"),
        ("Non-ISO", "unknown-8bit"), ("ISO-8859", "iso-8859-1"), ("ASCII", "us-ascii"),
    ]:
        if pattern in words:
            yield "charset", path, charset, identity["charset"]
            break
    for phrase in ("CRLF", "no line terminators", "very long lines"):
        yield "lines", f"{path}: {phrase}", phrase in words, phrase in identity["description"]


def executable(path, words, identity):
    facts = identity["executable"] or {}
    bits = re.search(r"(32|64)-bit (LSB|MSB|\w)", words)
    if words.startswith("PE32"):
        yield "bits", path, 64 if words.startswith("PE32+") else 32, facts.get("bits")
    elif bits and not words.startswith("Mach-O universal") and (facts or "version" in words):
        yield "bits", path, int(bits[1]), facts.get("bits")
        if bits[2] in ("LSB", "MSB"):
            endian = "little" if bits[2] == "LSB" else "big"
            yield "endian", path, endian, facts.get("endian")
    expected = {name for pattern, name in MACHINES if re.search(pattern, words)}
    if "powerpc64" in expected:
        expected.discard("powerpc")
    if "aarch64" in expected:
        expected.discard("arm")
    if "mips64" in expected:
        expected.discard("mips")
    if expected:
        ours = {re.sub(r"^(riscv|s390|loongarch).*", r"\1", name) for name in facts.get("architectures", [])}
        yield "architecture", path, sorted(expected), sorted(ours)
    for phrase, value in [("dynamically linked", "dynamic"), ("static-pie linked", "static-pie"), ("statically linked", "static")]:
        if phrase in words:
            yield "linkage", path, value, facts.get("linkage")
            break
    if "not stripped" in words:
        yield "stripped", path, False, facts.get("stripped")
    elif re.search(r"\bstripped\b(?! to external)", words):
        yield "stripped", path, True, facts.get("stripped")
    if words.startswith("PE"):
        yield "dotnet", path, "Mono/.Net" in words, "Mono/.Net" in identity["description"]
        yield "dll", path, "(DLL)" in words, "(DLL)" in identity["description"]
        subsystem = re.search(r"\((console|GUI|native|EFI [\w ]+)\)", words)
        if subsystem:
            yield "subsystem", path, subsystem[1].lower(), facts.get("abi")
    if words.startswith("ELF"):
        for phrase in ("pie executable", "shared object", "relocatable", " executable,"):
            yield "type", f"{path}: {phrase.strip()}", phrase in words, phrase in identity["description"]
