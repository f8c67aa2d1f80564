//! The merchants: where people buy, how often and for how much.
//!
//! Not a model of any real shop. `M-ONLINE-1` is the big online shop of the seller's story: it
//! asks for one authorization an item, the others for one an order.

use super::chance::{Dice, Weighted};

/// How a kind of merchant sells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sells {
    /// At a terminal.
    AtTill,
    /// Online, and ships.
    Goods,
    /// Online, codes that are delivered at once to whoever reads the mail.
    Codes,
    /// By a card on file, with nobody present.
    Subscription,
    /// At a terminal abroad.
    Abroad,
}

/// One kind of merchant.
pub(super) struct Kind {
    name: &'static str,
    pub(super) group: &'static str,
    pub(super) mcc: &'static str,
    pub(super) sells: Sells,
    /// How many there are.
    count: u16,
    /// Share of ordinary visits, in any unit.
    weight: u16,
    /// Prices in minor units, as quantiles.
    pub(super) prices: [i64; 7],
    pub(super) currency: &'static str,
    country: &'static str,
}

#[rustfmt::skip]
const fn shop(
    name: &'static str, group: &'static str, mcc: &'static str, sells: Sells,
    count: u16, weight: u16, prices: [i64; 7],
) -> Kind {
    Kind { name, group, mcc, sells, count, weight, prices, currency: "JPY", country: "JP" }
}

/// The place of a kind in [`KINDS`].
pub(super) const KONBINI: usize = 0;
pub(super) const ONLINE_MALL: usize = 2;
pub(super) const WEB_SHOP: usize = 3;
pub(super) const GIFT_CODES: usize = 4;
pub(super) const CHARITY: usize = 5;
pub(super) const ABROAD: usize = 6;

#[rustfmt::skip]
pub(super) static KINDS: &[Kind] = &[
    shop("KONBINI", "konbini", "5499", Sells::AtTill, 40, 260, [110, 230, 420, 640, 900, 1500, 5200]),
    shop("DENKI", "electronics", "5732", Sells::AtTill, 10, 12, [800, 2500, 6000, 12_000, 24_000, 50_000, 180_000]),
    shop("ONLINE", "online_mall", "5262", Sells::Goods, 3, 110, [280, 700, 1200, 2000, 3500, 6500, 30_000]),
    shop("WEB", "web_shop", "5969", Sells::Goods, 60, 60, [900, 1980, 2980, 4400, 6800, 12_000, 60_000]),
    shop("CODES", "digital_codes", "5816", Sells::Codes, 6, 16, [500, 1000, 1000, 1500, 3000, 3000, 5000]),
    shop("KIFU", "charity", "8398", Sells::Goods, 6, 4, [500, 1000, 1000, 2000, 3000, 5000, 20_000]),
    Kind { name: "ABROAD", group: "abroad", mcc: "5999", sells: Sells::Abroad, count: 40, weight: 0,
        prices: [300, 900, 1800, 3200, 6000, 12_000, 40_000], currency: "USD", country: "" },
    Kind { name: "US-WEB", group: "foreign_web", mcc: "5999", sells: Sells::Goods, count: 8, weight: 6,
        prices: [499, 999, 1999, 2999, 4999, 8999, 24_900], currency: "USD", country: "US" },
    shop("MART", "grocery", "5411", Sells::AtTill, 30, 220, [180, 700, 1400, 2300, 3600, 6500, 16_000]),
    shop("MESHI", "restaurant", "5812", Sells::AtTill, 60, 130, [400, 850, 1100, 1800, 3500, 7000, 24_000]),
    shop("EKI", "transit", "4111", Sells::AtTill, 8, 80, [140, 180, 260, 400, 800, 2000, 14_000]),
    shop("FUEL", "fuel", "5541", Sells::AtTill, 20, 35, [1500, 3000, 4200, 5200, 6000, 7500, 11_000]),
    shop("DRUG", "drugstore", "5912", Sells::AtTill, 25, 70, [250, 600, 1100, 1800, 2900, 4800, 12_000]),
    shop("FUKU", "apparel", "5651", Sells::AtTill, 30, 30, [900, 1990, 2990, 4990, 7900, 14_000, 50_000]),
    shop("SUBSC", "subscription", "4899", Sells::Subscription, 20, 25, [300, 490, 980, 980, 1480, 2980, 9800]),
];

/// Where the merchants abroad are, in turn.
pub(super) const COUNTRIES: [&str; 5] = ["US", "TH", "SG", "FR", "BR"];

/// One merchant.
pub(super) struct Merchant {
    pub(super) id: String,
    pub(super) kind: &'static Kind,
    pub(super) country: &'static str,
    /// How many terminals it has; their numbers begin with its own.
    pub(super) terminals: u8,
}

/// All merchants, and how to choose one.
pub(super) struct Shops {
    pub(super) all: Vec<Merchant>,
    /// Of each kind: the first one in `all`, and who is how popular.
    kinds: Vec<(usize, Weighted)>,
    by_visits: Weighted,
}

impl Shops {
    pub(super) fn new(dice: &mut Dice) -> Shops {
        let (mut all, mut kinds) = (Vec::new(), Vec::new());
        for kind in KINDS {
            // Zipf: the n-th is visited 1/n as often as the first.
            let popularity = (1..=kind.count).map(|rank| 1.0 / f64::from(rank));
            kinds.push((all.len(), Weighted::new(popularity)));
            all.extend((0..usize::from(kind.count)).map(|at| Merchant {
                id: format!("M-{}-{}", kind.name, at + 1),
                kind,
                country: match kind.sells {
                    Sells::Abroad => COUNTRIES[at % COUNTRIES.len()],
                    _ => kind.country,
                },
                terminals: dice.between(1, 6) as u8,
            }));
        }
        let by_visits = Weighted::new(KINDS.iter().map(|kind| f64::from(kind.weight)));
        Shops { all, kinds, by_visits }
    }

    /// Where the next visit goes.
    pub(super) fn any(&self, dice: &mut Dice) -> usize {
        let kind = self.by_visits.draw(dice);
        self.of_kind(kind, dice)
    }

    /// A merchant of this kind, the popular ones more often.
    pub(super) fn of_kind(&self, kind: usize, dice: &mut Dice) -> usize {
        let (first, popularity) = &self.kinds[kind];
        first + popularity.draw(dice)
    }

    /// The most popular merchant of this kind.
    pub(super) fn first_of_kind(&self, kind: usize) -> usize {
        self.kinds[kind].0
    }

    /// A merchant in the n-th foreign country.
    pub(super) fn abroad(&self, country: usize, dice: &mut Dice) -> usize {
        let (first, _) = self.kinds[ABROAD];
        first
            + country
            + COUNTRIES.len() * dice.below(usize::from(KINDS[ABROAD].count) / COUNTRIES.len())
    }
}
