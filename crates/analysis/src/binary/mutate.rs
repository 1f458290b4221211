//! Damage for the tests of parsers: the same for every run of a seed.

pub(crate) use reversecore_testkit::Random;

/// Bytes that are at hand in many places of a format where they hurt.
const NASTY: [&[u8]; 8] = [
    &[0],
    &[0xff],
    &[0, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0x7f],
    &[0, 0, 0, 0x80],
    &[0xff; 8],
    &[0; 8],
];

/// The sample with some damage: flipped bits, overwritten bytes, a lost end.
/// Half of it hits the `hot` places.
pub(crate) fn mutate(sample: &[u8], hot: &[usize], random: &mut Random) -> Vec<u8> {
    let mut bytes = sample.to_vec();
    for _ in 0..=random.below(6) {
        let mut at = random.below(bytes.len());
        if !hot.is_empty() && random.below(2) == 0 {
            at = (hot[random.below(hot.len())] + random.below(64)).min(bytes.len() - 1);
        }
        match random.below(3) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => {
                let nasty = NASTY[random.below(NASTY.len())];
                let room = bytes.len() - at;
                let nasty = &nasty[..nasty.len().min(room)];
                bytes[at..at + nasty.len()].copy_from_slice(nasty);
            }
            _ => {
                if random.below(8) == 0 && at > 0 {
                    bytes.truncate(at);
                }
            }
        }
    }
    bytes
}
