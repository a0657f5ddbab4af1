//! Texts that nobody in good faith wrote.
