use crate::Time;

/// The tree that every AWS protocol is decoded into and encoded from.
///
/// A structure is a list of slots in the order of the interface description (`front/models`), `Null` where a
/// member is absent; names live in the description only.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Str(String),
    Blob(Vec<u8>),
    Time(Time),
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
    Struct(Vec<Value>),
}

/// Reads a typed shape out of a value that the validator has accepted. A value of another kind reads as the
/// type's default: the codec has already refused it.
pub trait FromValue: Sized {
    fn from_value(value: Value) -> Self;
}

/// Writes a typed shape as a value.
pub trait IntoValue {
    fn into_value(self) -> Value;
}

/// An operation of an AWS service, implemented by a generated marker type.
pub trait Operation: 'static {
    type Input: FromValue + IntoValue;
    type Output: FromValue + IntoValue;
    /// Name of the service's interface description, such as `elbv2`.
    const SERVICE: &'static str;
    /// AWS's name of the operation, such as `DescribeTargetHealth`.
    const NAME: &'static str;
}

/// What an operation without input or output takes and gives.
impl FromValue for () {
    fn from_value(_: Value) -> Self {}
}

impl IntoValue for () {
    fn into_value(self) -> Value {
        Value::Null
    }
}

macro_rules! scalar {
    ($($type:ty, $variant:ident;)*) => {$(
        impl FromValue for $type {
            fn from_value(value: Value) -> Self {
                match value { Value::$variant(inner) => inner, _ => Self::default() }
            }
        }
        impl IntoValue for $type {
            fn into_value(self) -> Value { Value::$variant(self) }
        }
    )*};
}

scalar! { bool, Bool; i64, Int; f64, Float; String, Str; Vec<u8>, Blob; Time, Time; }

impl<T: FromValue> FromValue for Option<T> {
    fn from_value(value: Value) -> Self {
        match value {
            Value::Null => None,
            value => Some(T::from_value(value)),
        }
    }
}

impl<T: IntoValue> IntoValue for Option<T> {
    fn into_value(self) -> Value {
        self.map_or(Value::Null, T::into_value)
    }
}

impl<T: FromValue> FromValue for Vec<T> {
    fn from_value(value: Value) -> Self {
        match value {
            Value::List(items) => items.into_iter().map(T::from_value).collect(),
            _ => Vec::new(),
        }
    }
}

impl<T: IntoValue> IntoValue for Vec<T> {
    fn into_value(self) -> Value {
        Value::List(self.into_iter().map(T::into_value).collect())
    }
}

impl<T: FromValue> FromValue for std::collections::BTreeMap<String, T> {
    fn from_value(value: Value) -> Self {
        match value {
            Value::Map(entries) => entries.into_iter().map(|(k, v)| (k, T::from_value(v))).collect(),
            _ => Self::new(),
        }
    }
}

impl<T: IntoValue> IntoValue for std::collections::BTreeMap<String, T> {
    fn into_value(self) -> Value {
        Value::Map(self.into_iter().map(|(k, v)| (k, v.into_value())).collect())
    }
}

impl<T: FromValue> FromValue for Box<T> {
    fn from_value(value: Value) -> Self {
        Box::new(T::from_value(value))
    }
}

impl<T: IntoValue> IntoValue for Box<T> {
    fn into_value(self) -> Value {
        (*self).into_value()
    }
}
