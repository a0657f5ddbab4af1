//! The range decoder all of Opus is written with (RFC 6716, 4.1), as far as the beginning of a frame
//! needs it.

/// Bits of the range that are in use: 31, and one for the carry.
const TOP: u32 = 1 << 31;

/// A range of this size or less takes in the next byte.
const BOTTOM: u32 = 1 << 23;

/// What is left to be read of a frame. It never fails: behind its end a frame goes on with zeros.
pub(super) struct Range<'a> {
    frame: &'a [u8],
    /// Bytes taken from the front.
    taken: usize,
    /// The byte of which the last bit is still to be used.
    rest: u8,
    /// Size of the range, more than [`BOTTOM`] between two calls.
    size: u32,
    /// Distance of the code from the top of the range, less than `size`.
    value: u32,
    /// Bits taken in, those at hand in `size` included.
    bits: u32,
}

impl<'a> Range<'a> {
    /// At the beginning of a frame, which is a packet without its TOC byte (RFC 6716, 4.1.1).
    pub(super) fn new(frame: &'a [u8]) -> Self {
        let first = frame.first().copied().unwrap_or(0);
        let value = 127 - u32::from(first >> 1);
        let mut range = Self { frame, taken: 1, rest: first, size: 128, value, bits: 9 };
        range.normalize();
        range
    }

    /// Bits of the whole frame.
    pub(super) fn budget(&self) -> u32 {
        u32::try_from(self.frame.len()).map_or(u32::MAX, |bytes| bytes.saturating_mul(8))
    }

    /// Bits used up, rounded up (`ec_tell`; RFC 6716, 4.1.6.1).
    pub(super) fn used(&self) -> u32 {
        self.bits + self.size.leading_zeros() - 32
    }

    /// Whether there are at least so many bits left.
    pub(super) fn has(&self, bits: u32) -> bool {
        self.used() + bits <= self.budget()
    }

    /// A flag that is set with a probability of 1 in 2^`log` (`ec_dec_bit_logp`; RFC 6716, 4.1.3.2).
    pub(super) fn flag(&mut self, log: u32) -> bool {
        let share = self.size >> log;
        let set = self.value < share;
        if set {
            self.size = share;
        } else {
            self.value -= share;
            self.size -= share;
        }
        self.normalize();
        set
    }

    /// A symbol by its table, which falls from less than 2^`log` to 0: the chances of a larger symbol
    /// (`ec_dec_icdf`; RFC 6716, 4.1.3.3).
    pub(super) fn symbol(&mut self, table: &[u8], log: u32) -> u8 {
        let share = self.size >> log;
        let mut above = self.size;
        let mut found = 0;
        for (symbol, chance) in (0..).zip(table) {
            let below = share * u32::from(*chance);
            found = symbol;
            if self.value >= below {
                self.value -= below;
                self.size = above - below;
                break;
            }
            above = below;
        }
        self.normalize();
        found
    }

    /// One of `count` numbers that are equally likely, at most 256 (`ec_dec_uint`; RFC 6716, 4.1.5).
    pub(super) fn even(&mut self, count: u32) -> u32 {
        let unit = self.size / count;
        let number = count - (self.value / unit + 1).min(count);
        self.narrow(unit, number..number + 1, count);
        number
    }

    /// Leaves out bits without a probability. They lie at the end of the frame, so only the count of
    /// what is used up changes (`ec_dec_bits`; RFC 6716, 4.1.4).
    pub(super) fn skip_raw(&mut self, count: u32) {
        self.bits += count;
    }

    /// A number spread about 0 as by Laplace: 0 has a chance of `zero` in 2^15, and each further step
    /// is less likely by `decay` in 2^14, down to 1 in 2^15 (RFC 6716, 4.3.2.1). Both are from one of
    /// the tables there: at most 23 552 and 11 456, for which nothing overflows.
    pub(super) fn laplace(&mut self, zero: u32, decay: u32) -> i16 {
        const ALL: u32 = 1 << 15;
        /// What is held back so that 16 steps in either direction always have a chance.
        const RESERVED: u32 = 32;
        let unit = self.size / ALL;
        let code = ALL - (self.value / unit + 1).min(ALL);
        if code < zero {
            self.narrow(unit, 0..zero, ALL);
            return 0;
        }
        let mut steps = 1;
        let mut low = zero;
        let mut chance = (((ALL - RESERVED - zero) * ((1 << 14) - decay)) >> 15) + 1;
        while chance > 1 && code >= low + 2 * chance {
            low += 2 * chance;
            chance = (((2 * chance - 2) * decay) >> 15) + 1;
            steps += 1;
        }
        if chance == 1 {
            // From here on all steps are equally likely.
            let further = (code - low) / 2;
            low += 2 * further;
            steps += i16::try_from(further).unwrap_or(0);
        }
        // Of a step down and one up, the one down comes first.
        let up = code >= low + chance;
        if up {
            low += chance;
        }
        self.narrow(unit, low..(low + chance).min(ALL), ALL);
        if up { steps } else { -steps }
    }

    /// Goes on with a part of the range, given in units of which the whole has `all`
    /// (`ec_dec_update`; RFC 6716, 4.1.2).
    fn narrow(&mut self, unit: u32, part: std::ops::Range<u32>, all: u32) {
        let above = unit * (all - part.end);
        self.value -= above;
        // What the division left over belongs to the first part.
        self.size = if part.start > 0 { unit * (part.end - part.start) } else { self.size - above };
        self.normalize();
    }

    /// Takes in bytes until the range is large enough again (RFC 6716, 4.1.2.1).
    fn normalize(&mut self) {
        while self.size <= BOTTOM {
            let next = self.frame.get(self.taken).copied().unwrap_or(0);
            let byte = ((u32::from(self.rest) << 8 | u32::from(next)) >> 1) & 0xff;
            self.taken += 1;
            self.rest = next;
            self.size <<= 8;
            self.value = (self.value << 8 | (0xff - byte)) & (TOP - 1);
            self.bits += 8;
        }
    }
}
