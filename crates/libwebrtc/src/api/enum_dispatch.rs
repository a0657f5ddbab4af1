//! A macro of the public API: `livekit` forwards the methods of its own enums with it.

/// Defines methods that call the method of the same name on whatever the enum's variant holds.
///
/// ```
/// struct Dog;
/// impl Dog {
///     fn legs(&self) -> u8 {
///         4
///     }
/// }
/// enum Animal {
///     Dog(Dog),
/// }
/// impl Animal {
///     libwebrtc::enum_dispatch!(
///         [Dog];
///         pub fn legs(self: &Self) -> u8;
///     );
/// }
/// assert_eq!(Animal::Dog(Dog).legs(), 4);
/// ```
#[macro_export]
macro_rules! enum_dispatch {
    (@arms [$($variant:ident),+] $this:ident $name:ident $args:tt) => {
        match $this { $(Self::$variant(inner) => inner.$name $args,)+ }
    };
    ($variants:tt; $(
        $vis:vis fn $name:ident($this:ident: $this_type:ty $(, $arg:ident: $arg_type:ty)*) -> $returns:ty;
    )+) => {$(
        $vis fn $name($this: $this_type $(, $arg: $arg_type)*) -> $returns {
            $crate::enum_dispatch!(@arms $variants $this $name ($($arg),*))
        }
    )+};
}
