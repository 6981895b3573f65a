//! From the attributes to `code()` and to the texts with their codes.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned as _;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Ident, Index, LitStr, Member, Meta, Result, Token};

const MISSING: &str = "has no code: write #[code(\"WB-1234\")] beside it, or #[code(source)] where it only passes \
                       another error on";

/// The content of `#[code(...)]`.
enum Code {
    /// A code of its own.
    Own(LitStr),
    /// The code of the error that it passes on.
    Source(Span),
}

impl Parse for Code {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(LitStr) {
            let code: LitStr = input.parse()?;
            let digits = code.value().strip_prefix("WB-").map(str::to_owned).unwrap_or_default();
            if digits.len() == 4 && digits.bytes().all(|digit| digit.is_ascii_digit()) {
                return Ok(Self::Own(code));
            }
            return Err(Error::new(code.span(), "a code is WB- and four digits"));
        }
        let word: Ident = input.parse()?;
        if word == "source" {
            return Ok(Self::Source(word.span()));
        }
        Err(Error::new(word.span(), "write #[code(\"WB-1234\")] or #[code(source)]"))
    }
}

/// What is generated besides `code()`.
#[derive(Default)]
struct Wanted {
    codes: bool,
    message: bool,
}

impl Parse for Wanted {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut wanted = Self::default();
        for word in Punctuated::<Ident, Token![,]>::parse_terminated(input)? {
            match word.to_string().as_str() {
                "codes" => wanted.codes = true,
                "message" => wanted.message = true,
                _ => {
                    return Err(Error::new(word.span(), "after #[coded there is (codes), (message) or both"));
                }
            }
        }
        Ok(wanted)
    }
}

/// The result of `code()` for a variant or a struct.
enum Given {
    Own(LitStr),
    /// The field with the error that is passed on.
    Source(Member),
}

pub(crate) fn coded(arguments: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let wanted = syn::parse2::<Wanted>(arguments)?;
    let mut input: DeriveInput = syn::parse2(item)?;
    let mut codes = Vec::new();
    let (body, constant) = match &mut input.data {
        Data::Enum(data) => {
            let (mut arms, mut constant, mut wrong) = (Vec::new(), true, None::<Error>);
            for variant in &mut data.variants {
                let name = &variant.ident;
                let pattern = match given(name, &mut variant.attrs, &variant.fields) {
                    Ok(Given::Own(code)) => {
                        if codes.iter().any(|other: &LitStr| other.value() == code.value()) {
                            combine(&mut wrong, Error::new(code.span(), "another variant has this code"));
                        }
                        let arm = quote!(Self::#name { .. } => #code);
                        codes.push(code);
                        arm
                    }
                    Ok(Given::Source(field)) => {
                        constant = false;
                        quote!(Self::#name { #field: source, .. } => source.code())
                    }
                    Err(error) => {
                        combine(&mut wrong, error);
                        continue;
                    }
                };
                arms.push(pattern);
            }
            if let Some(wrong) = wrong {
                return Err(wrong);
            }
            (quote!(match self { #(#arms,)* }), constant)
        }
        Data::Struct(data) => match given(&input.ident, &mut input.attrs, &data.fields)? {
            Given::Own(code) => {
                let body = code.to_token_stream();
                codes.push(code);
                (body, true)
            }
            Given::Source(field) => (quote!(self.#field.code()), false),
        },
        Data::Union(data) => return Err(Error::new(data.union_token.span, "a union is no error")),
    };
    let (name, visibility) = (&input.ident, &input.vis);
    let (generics, arguments, conditions) = input.generics.split_for_impl();
    let constant = constant.then(|| quote!(const));
    let list = wanted.codes.then(|| {
        quote! {
            /// All codes of its own.
            #visibility const CODES: &'static [&'static str] = &[#(#codes),*];

        }
    });
    let message = wanted.message.then(|| {
        quote! {
            /// The text without the code, for answers that give the code in a field of its own.
            #[must_use]
            #visibility fn message(&self) -> String {
                let text = self.to_string();
                let code = ["[", self.code(), "] "].concat();
                text.strip_prefix(&code).unwrap_or(&text).to_owned()
            }
        }
    });
    Ok(quote! {
        #input
        impl #generics #name #arguments #conditions {
            #list
            /// The stable code, whose page `weighbridge explain` prints.
            #[must_use]
            #[allow(dead_code, reason = "a private error's code may stand in its text alone")]
            #visibility #constant fn code(&self) -> &'static str {
                #body
            }
            #message
        }
    })
}

fn combine(wrong: &mut Option<Error>, error: Error) {
    match wrong {
        Some(wrong) => wrong.combine(error),
        None => *wrong = Some(error),
    }
}

/// Takes `#[code(...)]` out of the attributes, and puts the code into the text of `#[error(...)]`.
fn given(name: &Ident, attributes: &mut Vec<Attribute>, fields: &Fields) -> Result<Given> {
    let at = attributes.iter().position(|attribute| attribute.path().is_ident("code"));
    let Some(at) = at else { return Err(Error::new(name.span(), format!("{name} {MISSING}"))) };
    let code = attributes.remove(at).parse_args::<Code>()?;
    if let Some(second) = attributes.iter().find(|attribute| attribute.path().is_ident("code")) {
        return Err(Error::new(second.span(), format!("{name} has two codes")));
    }
    let error = attributes.iter_mut().find(|attribute| attribute.path().is_ident("error"));
    match code {
        Code::Own(code) => {
            if let Some(error) = error {
                put_before_text(&code.value(), error)?;
            }
            Ok(Given::Own(code))
        }
        Code::Source(span) => match source(fields) {
            Some(field) => Ok(Given::Source(field)),
            None => Err(Error::new(span, format!("{name} has no source"))),
        },
    }
}

/// `#[error("text", ...)]` becomes `#[error("[WB-1234] text", ...)]`.
fn put_before_text(code: &str, error: &mut Attribute) -> Result<()> {
    let span = error.span();
    let Meta::List(list) = &mut error.meta else { return Err(Error::new(span, "write #[error(\"text\")]")) };
    let mut rest = std::mem::take(&mut list.tokens).into_iter();
    let text = rest.next().and_then(|token| syn::parse2::<LitStr>(TokenStream::from(token)).ok());
    let Some(text) = text else {
        return Err(Error::new(
            span,
            "a code of its own needs a text of its own: write #[error(\"text\")], or #[code(source)]",
        ));
    };
    if text.value().trim_start_matches('[').starts_with("WB-") {
        return Err(Error::new(text.span(), "the code stands in #[code(...)] alone"));
    }
    let with_code = LitStr::new(&format!("[{code}] {}", text.value()), text.span());
    list.tokens = std::iter::once(TokenTree::Literal(with_code.token())).chain(rest).collect();
    Ok(())
}

/// The field with the error that is passed on, as thiserror finds it.
fn source(fields: &Fields) -> Option<Member> {
    let is_marked =
        |attribute: &Attribute| ["source", "from"].iter().any(|name| attribute.path().is_ident(name));
    let marked = fields.iter().position(|field| {
        field.attrs.iter().any(is_marked) || field.ident.as_ref().is_some_and(|name| name == "source")
    });
    let at = marked.or_else(|| (fields.len() == 1).then_some(0))?;
    let named = fields.iter().nth(at).and_then(|field| field.ident.clone());
    Some(named.map_or_else(|| Member::Unnamed(Index::from(at)), Member::Named))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail loudly")]
mod tests {
    use super::*;

    /// The attribute's expansion of an item, without spaces; or the compiler's message.
    fn made(arguments: &str, item: &str) -> std::result::Result<String, String> {
        let made = coded(arguments.parse().unwrap(), item.parse().unwrap());
        made.map(|tokens| tokens.to_string().replace(' ', "")).map_err(|error| error.to_string())
    }

    #[test]
    fn the_code_goes_into_the_text_and_into_code() {
        let item = r#"
            pub enum Failure {
                #[code("WB-1234")] #[error("cannot read {path}")] Read { path: String },
                #[code("WB-1235")] #[error("{} of {}", .0, .1)] Half(u8, u8),
            }"#;
        let made = made("", item).unwrap();
        assert!(made.contains(r#"#[error("[WB-1234]cannotread{path}")]Read{path:String}"#), "{made}");
        assert!(made.contains(r#"#[error("[WB-1235]{}of{}",.0,.1)]"#), "{made}");
        assert!(made.contains("pubconstfncode(&self)->&'staticstr"), "{made}");
        assert!(made.contains(r#"Self::Read{..}=>"WB-1234",Self::Half{..}=>"WB-1235","#), "{made}");
        assert!(!made.contains("#[code") && !made.contains("fnmessage"), "{made}");
    }

    #[test]
    fn what_passes_an_error_on_has_its_code() {
        let item = r#"
            enum Failure {
                #[code(source)] #[error(transparent)] Inner(#[from] Inner),
                #[code(source)] #[error("at {at}")] At { at: u8, source: Box<Inner> },
                #[code(source)] #[error("twice")] Two(u8, #[source] Inner),
            }"#;
        let made = made("message", item).unwrap();
        for arm in ["Inner{0:source,..}", "At{source:source,..}", "Two{1:source,..}"] {
            assert!(made.contains(&format!("Self::{arm}=>source.code()")), "{made}");
        }
        assert!(made.contains(r#"#[error("at{at}")]"#) && !made.contains("constfn"), "{made}");
        assert!(made.contains("fnmessage(&self)->String"), "{made}");
    }

    #[test]
    fn a_struct_and_what_is_no_error_have_codes_too() {
        let made_struct = made("", r#"#[code("WB-1234")] #[error("no")] struct No;"#).unwrap();
        assert!(made_struct.contains(r#"#[error("[WB-1234]no")]"#), "{made_struct}");
        let made_enum = made("codes", r#"enum Found { #[code("WB-1234")] Line }"#).unwrap();
        assert!(made_enum.contains(r#"Self::Line{..}=>"WB-1234""#), "{made_enum}");
        assert!(made_enum.contains(r#"constCODES:&'static[&'staticstr]=&["WB-1234"];"#), "{made_enum}");
    }

    #[test]
    fn what_is_wrong_does_not_compile() {
        for (item, expected) in [
            (r#"enum E { #[error("a")] A }"#, "A has no code"),
            (r#"enum E { #[code("WB-123")] #[error("a")] A }"#, "WB- and four digits"),
            (r#"enum E { #[code("wb-1234")] #[error("a")] A }"#, "WB- and four digits"),
            (r#"enum E { #[code(none)] #[error("a")] A }"#, "write #[code("),
            (r#"enum E { #[code("WB-1234")] #[code("WB-1235")] #[error("a")] A }"#, "two codes"),
            (r#"enum E { #[code("WB-1234")] #[error("[WB-1234] a")] A }"#, "alone"),
            (r#"enum E { #[code("WB-1234")] #[error("WB-1234: a")] A }"#, "alone"),
            (r#"enum E { #[code("WB-1234")] #[error(transparent)] A(I) }"#, "text of its own"),
            (r#"enum E { #[code(source)] #[error("a")] A }"#, "no source"),
            (r#"enum E { #[code("WB-1234")] A, #[code("WB-1234")] B }"#, "another variant"),
            ("struct S;", "S has no code"),
            ("union U { a: u8 }", "no error"),
        ] {
            let said = made("", item).unwrap_err();
            assert!(said.contains(expected), "{item}: {said}");
        }
        assert!(made("text", "struct S;").unwrap_err().contains("(codes), (message)"));
    }
}
