//! What comes in: one event of the log, borrowed from the bytes it was read from.
//!
//! An [`Event`] has passed every check of form (see [`crate::wire`]): what is in it is valid, and
//! nothing inside asks again. It is not the record that carried it: partition, offset and the
//! record's own timestamp stay outside, because no decision may depend on them.

/// How the value of a field is written, and which values are valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Text of 1 to [`ID_BYTES_MAX`] bytes.
    Id,
    /// Text of 0 to [`TEXT_BYTES_MAX`] bytes.
    Text,
    /// Text out of a closed list.
    Word(&'static [&'static str]),
    /// Three capital letters (ISO 4217).
    Currency,
    /// Epoch milliseconds, 0 to [`TIME_MAX_MS`].
    Time,
    /// Minor units of a currency, 0 to [`AMOUNT_MAX_MINOR`].
    Amount,
    /// A signed 64-bit integer.
    Integer,
    /// An object of text, numbers and booleans.
    Attributes,
    /// An array of ids.
    Ids,
}

/// The longest id, in bytes of UTF-8.
pub const ID_BYTES_MAX: usize = 128;
/// The longest other text, in bytes of UTF-8.
pub const TEXT_BYTES_MAX: usize = 256;
/// The last event time: 9998-12-31T23:59:59.999Z less half a day, in epoch milliseconds.
pub const TIME_MAX_MS: i64 = 253_370_764_799_999;
/// The largest amount of one event, in minor units.
pub const AMOUNT_MAX_MINOR: i64 = 1_000_000_000_000_000;

/// The types of events by name, in the order of [`EventType`]; a tick is the last.
pub const TYPES: &[&str] = &[
    "authorization",
    "reversal",
    "login",
    "login_failed",
    "password_reset",
    "mfa_change",
    "address_change",
    "instrument_added",
    "feedback",
    "tick",
];
/// What pays.
pub const TENDERS: &[&str] = &["card", "gift_card", "points", "bank", "wallet"];
/// What feedback may say.
pub const VERDICTS: &[&str] = &["legitimate", "fraud", "policy_breach", "no_answer", "restored"];
/// Who gives feedback.
pub const SOURCES: &[&str] = &["customer", "analyst", "issuer", "chargeback"];

macro_rules! fields {
    ($($variant:ident $name:literal $kind:expr;)*) => {
        /// A field of an event, in the order in which fields are checked.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize,
            serde::Deserialize,
        )]
        #[repr(u8)]
        pub enum Field { $(#[doc = concat!("`", $name, "`")] $variant,)* }

        impl Field {
            /// Every field, in the order in which they are checked.
            pub const ALL: &[Field] = &[$(Field::$variant,)*];
            pub(super) const NAMES: &[&str] = &[$($name,)*];
            pub(super) const KINDS: &[Kind] = &[$($kind,)*];

            /// The field of this name.
            pub fn named(name: &[u8]) -> Option<Field> {
                $(const $variant: &[u8] = $name.as_bytes();)*
                match name { $($variant => Some(Field::$variant),)* _ => None }
            }
        }
    };
}

#[allow(non_upper_case_globals, reason = "one constant a field, named as its variant")]
mod table {
    use super::{Kind, SOURCES, TENDERS, TYPES, VERDICTS};
    fields! {
        EventId "event_id" Kind::Id;
        EventTime "event_time" Kind::Time;
        Type "type" Kind::Word(TYPES);
        AccountId "account_id" Kind::Id;
        CardId "card_id" Kind::Id;
        AmountMinor "amount_minor" Kind::Amount;
        Currency "currency" Kind::Currency;
        Tender "tender" Kind::Word(TENDERS);
        MerchantId "merchant_id" Kind::Text;
        MerchantGroup "merchant_group" Kind::Text;
        Mcc "mcc" Kind::Text;
        Country "country" Kind::Text;
        TerminalId "terminal_id" Kind::Text;
        Network "network" Kind::Text;
        CardTier "card_tier" Kind::Text;
        Bin "bin" Kind::Text;
        Funding "funding" Kind::Text;
        OrderId "order_id" Kind::Text;
        ItemSeq "item_seq" Kind::Integer;
        ItemCount "item_count" Kind::Integer;
        Channel "channel" Kind::Text;
        EntryMode "entry_mode" Kind::Text;
        Delivery "delivery" Kind::Text;
        DeviceId "device_id" Kind::Text;
        Ip "ip" Kind::Text;
        SessionId "session_id" Kind::Text;
        ShipTo "ship_to" Kind::Text;
        BillTo "bill_to" Kind::Text;
        Avs "avs" Kind::Text;
        Cvv "cvv" Kind::Text;
        Threeds "threeds" Kind::Text;
        Response "response" Kind::Text;
        Attributes "attributes" Kind::Attributes;
        RefEventId "ref_event_id" Kind::Id;
        Verdict "verdict" Kind::Word(VERDICTS);
        Source "source" Kind::Word(SOURCES);
        Note "note" Kind::Text;
        CaseId "case_id" Kind::Text;
        EventIds "event_ids" Kind::Ids;
        Scope "scope" Kind::Word(&["account"]);
        ExceptEventIds "except_event_ids" Kind::Ids;
        From "from" Kind::Integer;
        To "to" Kind::Integer;
        Suspend "suspend" Kind::Word(&["card", "account"]);
    }
}
pub use table::Field;

impl Field {
    /// How many fields there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Its name on the wire and in rules.
    pub const fn name(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// How its value is written.
    pub const fn kind(self) -> Kind {
        Self::KINDS[self as usize]
    }

    /// Does it hold text (rather than an integer, a list or an object)?
    pub fn is_text(self) -> bool {
        matches!(self.kind(), Kind::Id | Kind::Text | Kind::Word(_) | Kind::Currency)
    }

    /// Does it hold an integer?
    pub fn is_integer(self) -> bool {
        matches!(self.kind(), Kind::Time | Kind::Amount | Kind::Integer)
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum EventType {
    /// A card or another tender is asked to pay.
    Authorization,
    /// An authorization is taken back by the acceptor.
    Reversal,
    /// A successful log-in.
    Login,
    /// A failed log-in.
    LoginFailed,
    /// A password was reset.
    PasswordReset,
    /// A second factor was changed.
    MfaChange,
    /// A delivery or billing address was changed.
    AddressChange,
    /// A card or another instrument was stored.
    InstrumentAdded,
    /// An answer of a customer, an analyst, an issuer or a chargeback.
    Feedback,
    /// A mark of time in a quiet partition.
    Tick,
}

impl EventType {
    /// Every type, in the order of their bits.
    pub const ALL: [EventType; 10] = [
        EventType::Authorization,
        EventType::Reversal,
        EventType::Login,
        EventType::LoginFailed,
        EventType::PasswordReset,
        EventType::MfaChange,
        EventType::AddressChange,
        EventType::InstrumentAdded,
        EventType::Feedback,
        EventType::Tick,
    ];

    /// The type of this name.
    pub fn named(name: &str) -> Option<EventType> {
        TYPES.iter().position(|t| *t == name).map(|at| Self::ALL[at])
    }

    /// Its name on the wire.
    pub fn name(self) -> &'static str {
        TYPES[self as usize]
    }
}

/// A value as an event gives it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    /// Text.
    Text(&'a str),
    /// A signed 64-bit integer.
    Int(i64),
    /// A finite double.
    Double(f64),
    /// A boolean.
    Bool(bool),
}

/// One event, valid in all its fields. See the [module](self).
#[derive(Debug, Clone)]
pub struct Event<'a> {
    /// What happened.
    pub event_type: EventType,
    /// When it happened, in epoch milliseconds. Windows use only this.
    pub time: i64,
    /// The amount in minor units of the currency.
    pub amount_minor: Option<i64>,
    /// The item within its order.
    pub item_seq: Option<i64>,
    /// How many items the order has.
    pub item_count: Option<i64>,
    /// Feedback: the first event time that it speaks of, inclusive, in ms.
    pub from: Option<i64>,
    /// Feedback: the last event time that it speaks of, inclusive, in ms.
    pub to: Option<i64>,
    /// Names and values of `attributes`, each name once, in the order given; nulls left out.
    pub attributes: &'a [(&'a str, Scalar<'a>)],
    /// Feedback: the events that it speaks of.
    pub event_ids: Option<&'a [&'a str]>,
    /// Feedback: the events that it leaves out.
    pub except_event_ids: Option<&'a [&'a str]>,
    text: [Option<&'a str>; Field::COUNT],
}

impl<'a> Event<'a> {
    /// An event of this type and time, with nothing else in it.
    pub fn new(event_type: EventType, time: i64) -> Self {
        let mut event = Event {
            event_type,
            time,
            amount_minor: None,
            item_seq: None,
            item_count: None,
            from: None,
            to: None,
            attributes: &[],
            event_ids: None,
            except_event_ids: None,
            text: [None; Field::COUNT],
        };
        event.text[Field::Type as usize] = Some(event_type.name());
        event.text[Field::Tender as usize] = Some(TENDERS[0]);
        event
    }

    /// Sets a field that holds text.
    pub fn set_text(&mut self, field: Field, value: &'a str) {
        self.text[field as usize] = Some(value);
    }

    /// Takes a field that holds text away.
    pub fn clear_text(&mut self, field: Field) {
        self.text[field as usize] = None;
    }

    /// Sets a field that holds an integer.
    pub fn set_int(&mut self, field: Field, value: i64) {
        match field {
            Field::EventTime => self.time = value,
            Field::AmountMinor => self.amount_minor = Some(value),
            Field::ItemSeq => self.item_seq = Some(value),
            Field::ItemCount => self.item_count = Some(value),
            Field::From => self.from = Some(value),
            Field::To => self.to = Some(value),
            _ => unreachable!("{} holds no integer", field.name()),
        }
    }

    /// The text of a field; `None` if it is absent or holds no text.
    #[inline]
    pub fn text(&self, field: Field) -> Option<&'a str> {
        self.text[field as usize]
    }

    /// The integer of a field; `None` if it is absent or holds no integer.
    #[inline]
    pub fn int(&self, field: Field) -> Option<i64> {
        match field {
            Field::EventTime => Some(self.time),
            Field::AmountMinor => self.amount_minor,
            Field::ItemSeq => self.item_seq,
            Field::ItemCount => self.item_count,
            Field::From => self.from,
            Field::To => self.to,
            _ => None,
        }
    }

    /// The value of an attribute.
    #[inline]
    pub fn attribute(&self, name: &str) -> Option<Scalar<'a>> {
        self.attributes.iter().find(|(n, _)| *n == name).map(|(_, value)| *value)
    }

    /// The value of a field, or of an attribute.
    #[inline]
    pub fn value(&self, path: &Path) -> Option<Scalar<'a>> {
        match path {
            Path::Field(field) if field.is_integer() => self.int(*field).map(Scalar::Int),
            Path::Field(field) => self.text(*field).map(Scalar::Text),
            Path::Attribute(name) => self.attribute(name),
        }
    }

    /// Its identity within its account; empty for a tick.
    pub fn id(&self) -> &'a str {
        self.text(Field::EventId).unwrap_or("")
    }

    /// The account; empty for a tick.
    pub fn account(&self) -> &'a str {
        self.text(Field::AccountId).unwrap_or("")
    }
}

/// Where a value stands in an event.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum Path {
    /// In a field of the table.
    Field(Field),
    /// In `attributes`, under this name.
    Attribute(Box<str>),
}

impl Path {
    /// `merchant_id`, `attributes.NAME`; `None` for what is no scalar field.
    pub fn parse(text: &str) -> Option<Path> {
        if let Some(name) = text.strip_prefix("attributes.") {
            return (!name.is_empty()).then(|| Path::Attribute(name.into()));
        }
        let field = Field::named(text.as_bytes())?;
        (field.is_text() || field.is_integer()).then_some(Path::Field(field))
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Path::Field(field) => f.write_str(field.name()),
            Path::Attribute(name) => write!(f, "attributes.{name}"),
        }
    }
}
