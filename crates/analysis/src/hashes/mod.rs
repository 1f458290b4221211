//! Hashes of a file, as many as are asked for in one pass over bytes that the
//! caller feeds. Called by the workers of `get_file_info`, and by whoever names
//! a sample by its hash. Comparing similarity hashes is not done here.

mod ctph;

use md5::Digest as _;
use serde::{Deserialize, Serialize};

use crate::hex::hexadecimal;
use tlsh::generate::GeneratorOptions;
use tlsh::{GeneratorType as _, TlshGenerator};

/// What can be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Algorithm {
    /// RFC 1321.
    Md5,
    /// FIPS 180-4.
    Sha1,
    /// FIPS 180-4.
    Sha256,
    /// FIPS 180-4.
    Sha512,
    /// The cyclic redundancy check of zip and PNG.
    Crc32,
    /// Context triggered piecewise hashing, as `ssdeep` writes it.
    Ssdeep,
    /// Trend Micro's locality sensitive hash: 128 buckets, one byte of
    /// checksum, the prefix `T1`.
    Tlsh,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Md5,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
        Self::Crc32,
        Self::Ssdeep,
        Self::Tlsh,
    ];
}

/// The hashes of a file; those that were not asked for are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HashReport {
    /// Size of the file in bytes.
    pub size: u64,
    /// 32 lowercase hexadecimal digits.
    pub md5: Option<String>,
    /// 40 lowercase hexadecimal digits.
    pub sha1: Option<String>,
    /// 64 lowercase hexadecimal digits.
    pub sha256: Option<String>,
    /// 128 lowercase hexadecimal digits.
    pub sha512: Option<String>,
    /// 8 lowercase hexadecimal digits.
    pub crc32: Option<String>,
    /// Block size, signature, and signature of the double block size, with
    /// colons between. Absent for files of 192 GiB and more.
    pub ssdeep: Option<String>,
    /// `T1` and 70 uppercase hexadecimal digits. Absent for files of less than
    /// 50 bytes, of 4 GiB and more, and for those too uniform to be compared.
    pub tlsh: Option<String>,
}

/// Computes hashes of consecutive chunks of a file.
#[derive(Debug, Clone, Default)]
pub struct Digests {
    size: u64,
    md5: Option<md5::Md5>,
    sha1: Option<sha1::Sha1>,
    sha256: Option<sha2::Sha256>,
    sha512: Option<sha2::Sha512>,
    crc32: Option<crc32fast::Hasher>,
    ssdeep: Option<Box<ctph::Ctph>>,
    tlsh: Option<Box<TlshGenerator>>,
}

impl Digests {
    /// Starts a file.
    pub fn new(algorithms: &[Algorithm]) -> Self {
        let mut digests = Self::default();
        for algorithm in algorithms {
            match algorithm {
                Algorithm::Md5 => digests.md5 = Some(md5::Md5::new()),
                Algorithm::Sha1 => digests.sha1 = Some(sha1::Sha1::new()),
                Algorithm::Sha256 => digests.sha256 = Some(sha2::Sha256::new()),
                Algorithm::Sha512 => digests.sha512 = Some(sha2::Sha512::new()),
                Algorithm::Crc32 => digests.crc32 = Some(crc32fast::Hasher::new()),
                Algorithm::Ssdeep => digests.ssdeep = Some(Box::default()),
                Algorithm::Tlsh => digests.tlsh = Some(Box::new(TlshGenerator::new())),
            }
        }
        digests
    }

    /// Takes the next chunk.
    pub fn update(&mut self, chunk: &[u8]) {
        /// Small enough to stay in the cache until every algorithm has read it.
        const PIECE: usize = 16 * 1024;
        self.size = self.size.saturating_add(chunk.len() as u64);
        let Self {
            size: _,
            md5,
            sha1,
            sha256,
            sha512,
            crc32,
            ssdeep,
            tlsh,
        } = self;
        for piece in chunk.chunks(PIECE) {
            if let Some(hasher) = md5 {
                hasher.update(piece);
            }
            if let Some(hasher) = sha1 {
                hasher.update(piece);
            }
            if let Some(hasher) = sha256 {
                hasher.update(piece);
            }
            if let Some(hasher) = sha512 {
                hasher.update(piece);
            }
            if let Some(hasher) = crc32 {
                hasher.update(piece);
            }
            if let Some(hasher) = ssdeep {
                hasher.update(piece);
            }
            if let Some(hasher) = tlsh {
                hasher.update(piece);
            }
        }
    }

    /// The hashes of everything that was fed.
    pub fn finish(self) -> HashReport {
        // The ratios of quartiles in integers, as the reference implementation
        // computes them since 4.12.1.
        let options = GeneratorOptions::new().pure_integer_qratio_computation(true);
        HashReport {
            size: self.size,
            md5: self.md5.map(|hasher| hexadecimal(&hasher.finalize())),
            sha1: self.sha1.map(|hasher| hexadecimal(&hasher.finalize())),
            sha256: self.sha256.map(|hasher| hexadecimal(&hasher.finalize())),
            sha512: self.sha512.map(|hasher| hexadecimal(&hasher.finalize())),
            crc32: self
                .crc32
                .map(|hasher| hexadecimal(&hasher.finalize().to_be_bytes())),
            ssdeep: self.ssdeep.and_then(|hasher| hasher.finish()),
            tlsh: self.tlsh.and_then(|hasher| {
                let hash = hasher.finalize_with_options(options).ok()?;
                Some(hash.to_string())
            }),
        }
    }
}

/// The hashes of a file that is in memory as a whole.
pub fn hash(bytes: &[u8], algorithms: &[Algorithm]) -> HashReport {
    let mut digests = Digests::new(algorithms);
    digests.update(bytes);
    digests.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_vectors() {
        let abc = hash(b"abc", &Algorithm::ALL);
        assert_eq!(abc.size, 3);
        assert_eq!(abc.md5.unwrap(), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(
            abc.sha1.unwrap(),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert!(
            abc.sha256
                .unwrap()
                .starts_with("ba7816bf8f01cfea414140de5dae2223")
        );
        assert!(
            abc.sha512
                .unwrap()
                .starts_with("ddaf35a193617abacc417349ae204131")
        );
        assert_eq!(abc.crc32.unwrap(), "352441c2");
        assert_eq!(abc.ssdeep.unwrap(), "3:uG:uG");
        assert_eq!(abc.tlsh, None);
    }

    #[test]
    fn eicar_by_the_reference_programs() {
        let eicar = concat!(
            r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD",
            "-ANTIVIRUS-TEST-FILE!$H+H*"
        );
        let report = hash(eicar.as_bytes(), &[Algorithm::Ssdeep, Algorithm::Tlsh]);
        assert_eq!(report.ssdeep.unwrap(), "3:a+JraNvsgzsVqSwHq9:tJuOgzsko");
        let tlsh = "T141A022003B0EEE2BA20B00200032E8B00808020E2CE00A3820A020B8C83308803EC228";
        assert_eq!(report.tlsh.unwrap(), tlsh);
        assert_eq!(report.md5, None);
    }

    #[test]
    fn nothing_has_hashes_too() {
        let empty = hash(b"", &Algorithm::ALL);
        assert_eq!(empty.md5.unwrap(), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(empty.crc32.unwrap(), "00000000");
        assert_eq!(empty.ssdeep.unwrap(), "3::");
        assert_eq!(empty.tlsh, None);
    }

    #[test]
    fn chunks_make_no_difference() {
        let bytes = std::fs::read("/bin/ls").unwrap();
        let bytes = bytes.get(..60_000).unwrap_or(&bytes);
        let whole = hash(bytes, &Algorithm::ALL);
        assert!(whole.ssdeep.is_some() && whole.tlsh.is_some());
        for size in [1, 7, 4095, 100_000] {
            let mut digests = Digests::new(&Algorithm::ALL);
            for chunk in bytes.chunks(size) {
                digests.update(chunk);
            }
            assert_eq!(digests.finish(), whole, "{size}");
        }
    }

    #[test]
    fn a_report_survives_json() {
        let report = hash(b"abc", &[Algorithm::Md5]);
        let json = serde_json::to_string(&report).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["md5"], "900150983cd24fb0d6963f7d28e17f72");
        assert!(value["sha1"].is_null(), "{json}");
        assert_eq!(serde_json::from_str::<HashReport>(&json).unwrap(), report);
    }
}
