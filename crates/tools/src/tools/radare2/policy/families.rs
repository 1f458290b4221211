//! The radare2 command words that only read, each with the shape of its
//! arguments, checked against the help of radare2 6.1.8.
//!
//! `super::check` looks words up here and asks for the refusal of the others. A
//! word is accepted whole, never by prefix: `pd` does not bring `pdg`. Left out
//! on purpose, though they look harmless:
//!
//! - `pa`, `/a`, `aex`: assembling may start an external assembler;
//! - `id`, `idj`, `CL`, `CLL`, `list`, `sl`: they open the source files that the
//!   debug information of the analysed file names, wherever those are;
//! - `iD`: demangling may start an external program; `idp`, `io`, `pm FILE`, `/m
//!   FILE`, `/F`: they open files; `idpd` downloads;
//! - `/mb` (does not end in useful time), `/mm` (mounts what it finds);
//! - `ae*`, `ar*`, `aae*`, `aaf*`, `aaaa`, `aoem`, `/E`, `/re`: they emulate;
//! - `pg`, `?t`, `??`, `Cr`, `pd:`, `a:`, `i:`: they run a command or a plugin;
//! - `afn`, `afvn`, `CC text`, `f name`, `axc`, `ah?`: they change what later
//!   commands print, so the answer would no longer be about the file;
//! - `o`, `oj`, `e` alone: they print paths of this machine.

/// What may follow a command word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Nothing,
    /// Addresses, lengths and arithmetic.
    Expression,
    /// Names of types, algorithms, flag spaces.
    Name,
    /// A search string.
    Text,
    /// Hexadecimal digits with a mask.
    Hex,
    /// A `pf` format.
    Format,
    /// `name` or `name=value`.
    Config,
}

/// Words by family, separated by spaces.
const WORDS: &[(Shape, &str)] = &[
    // Analysis: run it, then list its results.
    (
        Shape::Expression,
        "a aa aaa aac aad aai aaij aaj aan aao aap aar aas aaS aat aau aav aaw",
    ),
    (
        Shape::Expression,
        "ab ab. abf abi abj abm abmj abo a8 ad adf afd af afr aF",
    ),
    (
        Shape::Expression,
        "afb afb. afb= afbi afbij afbj afbo afbr afC afCc afCl",
    ),
    (
        Shape::Expression,
        "afi afi. afij afil afip afiq afis afix afixj afo afoj afx",
    ),
    (
        Shape::Nothing,
        "afc afcr afcrj afcj afci afcl afcll afs afsj afsq afv afvj afv= afvf aii an anj",
    ),
    (Shape::Name, "afcf afcfj afvR afvW afvx"),
    (
        Shape::Nothing,
        "afl afl. afl+ afl= afl* afla aflaj aflc aflj afll afllj aflm afln aflq aflqj aflx aflxj",
    ),
    (
        Shape::Expression,
        "ah ah. ah* ahj ai aia aij ao ao* aob aoe aoeq aoj aos ap",
    ),
    (Shape::Name, "acll acllj aod aom asl avrD"),
    (
        Shape::Nothing,
        "acl aclj acg aL aLj aoda aot apl asj av avj av* avr avrj avra avraj",
    ),
    (Shape::Nothing, "ax ax* axl axlc axlj axlq axq"),
    (
        Shape::Expression,
        "ax. axf axfj axfq axfm axf* axff axffj axg axgj axt axtj axtq axtm axt* axv",
    ),
    // Print.
    (
        Shape::Expression,
        "p6d p6e p8 p8b p8d p8f p8fj p8j p8s p8x p= p== p=e p=p p=z p=0 p=F p=d p=b p=c p=i p=j p=m p=s",
    ),
    (
        Shape::Expression,
        "p- p-j p-e p-ej p-h pb pB pC pCa pCd pCD pCx pCw pj",
    ),
    (
        Shape::Expression,
        "pc pc* pca pcA pcc pcd pcg pch pci pcj pcJ pck pcn pco pcp pcq pcr pcs pcv pcV pcw pcy pcY pcz",
    ),
    (
        Shape::Expression,
        "pd pd-- pda pdaj pdb pdbj pdc pdca pdcc pdco pdcj pdC pdf pdfj pdfr pdfs pdi pdj pdJ pdl",
    ),
    (
        Shape::Expression,
        "pdo pdp pdr pdr. pdR pds pdsb pdsf pdsfj pdsfq pdss pD pDj pi pia pib pid pie pif pij pir pI pk pK",
    ),
    (Shape::Hex, "pad paD pade pdx pix"),
    (Shape::Format, "pf pfc pfj pfq pfs"),
    (
        Shape::Expression,
        "pF pFa pFp pFx ph phj prx ps psj psa psb psi psn psp pspj pss psu psuz psuj psw pswj psW psWj psx psz pszj pszl",
    ),
    (
        Shape::Expression,
        "pt ptb ptd pth ptn pu puw pv pvj pv1 pv2 pv4 pv8 pv1j pv2j pv4j pv8j pvz",
    ),
    (Shape::Nothing, "pm pxf"),
    (
        Shape::Expression,
        "px pxj px-- px0 px3 pxa pxb pxB pxc pxd pxd1 pxd2 pxd4 pxd8 pxe pxh pxH pxi pxl pxo pxq pxQ",
    ),
    (
        Shape::Expression,
        "pxr pxr1 pxr2 pxr4 pxr8 pxrj pxrq pxs pxt pxu pxu1 pxu2 pxu4 pxu8 pxw pxW pxx pxX x xj",
    ),
    (
        Shape::Expression,
        "pz pz0 pza pzA pzc pzd pze pzf pzF pzh pzi pzm pzp pzs pzz pzj pzej",
    ),
    // Information about the file.
    (
        Shape::Nothing,
        "i ij iq ia iaj ic ic. icj icq icqq icl iclc ics icc icg iC iCj idl idx ie iej ieq iee ieej ies iE iE. iEj iEq",
    ),
    (
        Shape::Nothing,
        "ig igh igj ih ihj iH iHj ii iij iiq ii* iic iicj iI iIj ik il ilj ilq iL im iM iMj ir irj irq iR iRj",
    ),
    (
        Shape::Nothing,
        "is is. isj isq is* ise iS. iS= iSS iSSj iSm iSmj it itj iT iTj iv ivj iw iwj",
    ),
    (Shape::Name, "iS iSj iSq"),
    (
        Shape::Expression,
        "iz iz. izj izq izqq izc izjq izz izzj izzq izzc izzz izzzj izzzc",
    ),
    // Seek, block size, flags.
    (
        Shape::Expression,
        "s s+ s- s++ s-- sa sb sd sf sf. sff sg sG so b bj fd fi",
    ),
    (
        Shape::Nothing,
        "sj f f, f* f. fj fq fn fnj fN fl fs* fsj fsq fss fssj ft ftj fz* fzj",
    ),
    (Shape::Expression, "f= fs"),
    // Search. `/` and its kin take text, so the word needs a space after it.
    (
        Shape::Text,
        "/ /j /i /ij /k /kj /w /wj /wi /wij /e /ej /aa /aaj /ac /acj /ad /adj /g /gj /gq /gR /gRj /gC /gCj /gJ /gJj",
    ),
    (Shape::Hex, "/x /xj /p /d"),
    (
        Shape::Expression,
        "/v /v1 /v2 /v4 /v8 /vj /V /V1 /V2 /V4 /V8 /z /ai /aij /o /O /P /r /ra /rc /rr /rw /rx /s",
    ),
    (Shape::Name, "/af /am /at /atj /ca"),
    (
        Shape::Nothing,
        "/aI /afl /al /atl /az /B /cd /cg /ck /cr /m /pp",
    ),
    // Evaluate; `?e` only echoes.
    (
        Shape::Expression,
        "? ?v ?vi ?vi1 ?vi2 ?vi4 ?vi8 ?vx ?b ?B ?d ?f ?j ?o ?p ?P ?q ?u ?w ?X ?x ?s",
    ),
    (Shape::Text, "?e ?h ?l"),
    (Shape::Nothing, "?a ?V"),
    // Types, signatures, metadata, maps: listing only.
    (
        Shape::Name,
        "t tc te tec tej ten tenj teb tev tf tfc tfcj tfj tfv tp ts tsj tsn tss tsv tt ttj tu tuj tuv tx txf",
    ),
    (
        Shape::Nothing,
        "t* tj tcd tl tll tllj tlj txl tn tnj z zj zq z. zs",
    ),
    (
        Shape::Nothing,
        "C C* C. CC CC* CC. CCb CCf CCj Cd Cs Cf Cm Ct Ct. om omj omq om* om. om=",
    ),
    (Shape::Config, "e"),
];

/// What a listed word takes, or `None` for a word that is not listed.
pub(super) fn lookup(word: &str) -> Option<Shape> {
    if is_graph(word) {
        return Some(Shape::Expression);
    }
    WORDS
        .iter()
        .find(|(_, words)| words.split(' ').any(|listed| listed == word))
        .map(|&(shape, _)| shape)
}

/// `ag` + kind + format; `w` (writes an image) and `v` (interactive) are no formats here.
fn is_graph(word: &str) -> bool {
    const KINDS: &str = "aAcCDfirRxt";
    const FORMATS: [&str; 11] = ["", "*", "b", "d", "g", "j", "J", "k", "m", "ma", "t"];
    let Some(rest) = word.strip_prefix("ag") else {
        return false;
    };
    rest.chars().next().is_some_and(|kind| {
        KINDS.contains(kind)
            && rest
                .strip_prefix(kind)
                .is_some_and(|format| FORMATS.contains(&format))
    })
}
