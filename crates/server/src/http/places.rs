//! How many connections there may be, in all and from one address: whoever takes
//! all that one address can take leaves room for others.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One place in so many is not for an address that has all others.
const KEPT_FOR_OTHERS: usize = 8;
/// What of an IPv6 address tells networks apart: whoever has one such network has
/// all 2^64 addresses in it.
const NETWORK: u128 = !(u64::MAX as u128);

/// The places for connections.
#[derive(Debug)]
pub(super) struct Places {
    all: usize,
    of_one: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by: HashMap<IpAddr, usize>,
}

/// A connection's place, given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Arc<Places>,
    network: IpAddr,
}

impl Places {
    pub(super) fn new(all: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            of_one: all - all / KEPT_FOR_OTHERS,
            taken: Mutex::default(),
        })
    }

    /// A place for a connection from this address, if there is one.
    pub(super) fn take(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let network = network(address);
        let mut taken = self.taken();
        if taken.all >= self.all {
            return None;
        }
        let of_this = taken.by.entry(network).or_default();
        if *of_this >= self.of_one {
            return None;
        }
        *of_this += 1;
        taken.all += 1;
        Some(Place {
            places: Arc::clone(self),
            network,
        })
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.all = taken.all.saturating_sub(1);
        if let Some(of_this) = taken.by.get_mut(&self.network) {
            *of_this = of_this.saturating_sub(1);
            if *of_this == 0 {
                taken.by.remove(&self.network);
            }
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & NETWORK).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_can_not_take_all_places() {
        let places = Places::new(16);
        let [one, other]: [IpAddr; 2] =
            ["10.0.0.1", "10.0.0.2"].map(|address| address.parse().unwrap());
        let mut taken: Vec<Place> = std::iter::from_fn(|| places.take(one)).collect();
        assert_eq!(taken.len(), 14);
        taken.extend(std::iter::from_fn(|| places.take(other)));
        assert_eq!(taken.len(), 16);
        taken.truncate(1);
        assert!(places.take(one).is_some());
        taken.clear();
        let left = places.taken();
        assert_eq!((left.all, left.by.len()), (0, 0));
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let of = |text: &str| network(text.parse().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:0:1"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:10.0.0.1"), of("10.0.0.1"));
    }

    #[test]
    fn a_single_place_can_be_taken() {
        let places = Places::new(1);
        let address = "127.0.0.1".parse().unwrap();
        let place = places.take(address);
        assert!(place.is_some() && places.take(address).is_none());
    }
}
