"""JSON texts for the reader of requests, by hand from RFC 8259: what it must take, what it must refuse, and what the RFC leaves open (with our choice)."""

Y = {  # read, and given back equal
    "null": b"null", "true": b"true", "false": b"false", "zero": b"0", "minus zero": b"-0", "minus zero real": b"-0.0", "one": b"1", "minus": b"-123", "digits": b"1234567890123",
    "largest int64": b"9223372036854775807", "smallest int64": b"-9223372036854775808", "2^53+1": b"9007199254740993", "real": b"3.25", "small real": b"0.000001",
    "exponent": b"1e2", "capital exponent": b"1E2", "plus exponent": b"1e+2", "minus exponent": b"1e-2", "zero exponent": b"0e0", "zero plus exponent": b"0e+1", "real exponent": b"123.456e78",
    "leading zeros of an exponent": b"1e0002", "empty text": b'""', "space": b'" "', "letters": b'"abc"', "escapes": b'"\\"\\\\\\/\\b\\f\\n\\r\\t"', "unicode escape": b'"\\u00e9"',
    "lower and upper hex": b'"\\u00Ea\\u00eA"', "escaped pair": b'"\\ud83d\\ude42"', "escaped ascii": b'"\\u0061\\u0022"', "escaped noncharacter": b'"\\uffff"', "escaped DEL": b'"\\u007f"',
    "escaped control": b'"\\u0001\\u001f"', "utf-8 2": "\"é\"".encode(), "utf-8 3": "\"漢\"".encode(), "utf-8 4": "\"🙂\"".encode(), "line separator": "\"\u2028\u2029\"".encode(),
    "last code point": "\"\U0010ffff\"".encode(), "raw DEL": b'"\x7f"', "null in text": b'"null"', "comment in text": b'"a/*b*/c//d#e"', "brackets in text": b'"[{]}"', "backslash at the end": b'"a\\\\"',
    "quote after backslash": b'"\\\\\\""', "empty list": b"[]", "empty object": b"{}", "spaces in list": b"[ ]", "spaces in object": b"{ }", "list": b"[1,2,3]", "mixed list": b'[null,1,"a",{},[]]',
    "list with breaks": b"[\r\n1\t,\n2 ]", "nested lists": b"[" * 20 + b"]" * 20, "object": b'{"a":1}', "two members": b'{"a":1,"b":2}', "empty key": b'{"":0}', "escaped key": b'{"\\u0061b":1}',
    "nested objects": b'{"a":{"b":{"c":{}}}}', "keys that differ in case": b'{"a":1,"A":2}', "keys that differ in form": "{\"\u00e9\":1,\"e\u0301\":2}".encode(), "proto key": b'{"__proto__":{"x":1}}',
    "space before": b" \t\r\n1", "space after": b"1 \t\r\n", "long text": b'"' + b"x" * 5000 + b'"', "many numbers": b"[" + b",".join(b"%d" % i for i in range(2000)) + b"]",
}

N = {  # refused
    "nothing": b"", "word": b"abc", "capital literal": b"True", "shouted literal": b"NULL", "cut literal": b"nul", "long literal": b"nulll", "two literals": b"true false", "glued literals": b"truefalse",
    "undefined": b"undefined", "NaN": b"NaN", "minus NaN": b"-NaN", "nan": b"nan", "Infinity": b"Infinity", "minus Infinity": b"-Infinity", "inf": b"inf",
    "leading zero": b"01", "leading zeros": b"00", "minus leading zero": b"-01", "plus": b"+1", "two minus": b"--1", "minus alone": b"-", "minus and letter": b"-a", "minus and space": b"- 1",
    "point first": b".5", "minus point": b"-.5", "point last": b"1.", "point and exponent": b"1.e1", "exponent alone": b"1e", "exponent plus alone": b"1e+", "exponent minus alone": b"1E-",
    "exponent of exponent": b"1e1e1", "exponent real": b"1e1.5", "two exponents": b"1eE2", "two points": b"1.2.3", "hex": b"0x1F", "octal": b"0o17", "binary": b"0b1", "underscore": b"1_000",
    "thousands": b"1,000", "space in number": b"1 000", "letter behind": b"1a", "expression": b"1+2", "full-width digit": "\uff11".encode(), "half": "½".encode(), "arabic digit": "\u0661".encode(),
    "currency": b"$1", "unclosed list": b"[", "unclosed list 2": b"[1", "unclosed list 3": b"[1,", "unclosed list 4": b'["a"', "closed only": b"]", "list closed as object": b"[1}", "comma first": b"[,1]", "comma last": b"[1,]",
    "two commas": b"[1,,2]", "comma only": b"[,]", "no comma": b"[1 2]", "colon in list": b"[1:2]", "semicolon": b"[1;2]", "list closed twice": b"[1]]", "unclosed object": b"{", "unclosed object 2": b'{"a"',
    "unclosed object 3": b'{"a":', "unclosed object 4": b'{"a":1', "unclosed object 5": b'{"a":1,', "object closed as list": b'{"a":1]', "object closed twice": b'{"a":1}}', "key alone": b'{"a"}',
    "no value": b'{"a":}', "no key": b"{:1}", "no colon": b'{"a" 1}', "two colons": b'{"a"::1}', "equals": b'{"a"=1}', "comma for colon": b'{"a",1}', "comma last in object": b'{"a":1,}',
    "comma first in object": b'{,"a":1}', "two commas in object": b'{"a":1,,"b":2}', "no comma in object": b'{"a":1 "b":2}', "bare key": b"{a:1}", "quoted by one": b"{'a':1}", "number key": b"{1:1}", "null key": b"{null:1}",
    "list key": b"{[]:1}", "text by one": b"'a'", "text by backtick": b"`a`", "text by curly quotes": "“a”".encode(), "unclosed text": b'"a', "quote only": b'"', "unclosed by backslash": b'"a\\"', "two texts": b'"a" "b"',
    "unknown escape": b'"\\a"', "hex escape": b'"\\x41"', "octal escape": b'"\\101"', "quote escape": b'"\\\'"', "escaped line break": b'"a\\\nb"', "capital u": b'"\\U0041"', "cut escape": b'"\\u00"',
    "cut escape 2": b'"\\u"', "no hex": b'"\\u00g1"', "minus hex": b'"\\u-001"', "braces": b'"\\u{41}"', "escape outside": b"\\u0031", "raw tab": b'"a\tb"', "raw line feed": b'"a\nb"', "raw return": b'"a\rb"',
    "raw NUL": b'"a\x00b"', "raw 01": b'"a\x01b"', "raw 1f": b'"a\x1fb"', "NUL outside": b"1\x00", "NUL before": b"\x001", "form feed": b"[\x0c1]", "vertical tab": b"[\x0b1]", "no-break space": "[\u00a01]".encode(),
    "word joiner": "[\u20601]".encode(), "zero width": "[\u200b1]".encode(), "line separator outside": "[\u20281]".encode(), "block comment": b"/**/1", "line comment": b"1//x\n", "hash comment": b"1#x\n",
    "comment in list": b"[1/*,2*/]", "html": b"<b>", "star": b"*", "bad byte": b'"\xff"', "latin-1": b'"\xe9"', "continuation only": b'"\x80"', "cut 2": b'"\xc3"', "cut 3": b'"\xe2\x82"', "cut 4": b'"\xf0\x9f\x99"',
    "overlong 2": b'"\xc0\xaf"', "overlong 3": b'"\xe0\x80\xaf"', "overlong 4": b'"\xf0\x80\x80\xaf"', "raw surrogate": b'"\xed\xa0\x80"', "raw pair of surrogates": b'"\xed\xa0\xbd\xed\xb9\x82"',
    "above the last": b'"\xf4\x90\x80\x80"', "five bytes": b'"\xf8\x88\x80\x80\x80"', "bad byte outside": b"1\xff", "mark inside": b"[\xef\xbb\xbf1]", "trailing word": b'"a"x', "trailing brace": b"1}",
}

I = {  # left open by the RFC: (text, whether it is taken)
    "2^63": (b"9223372036854775808", False), "below -2^63": (b"-9223372036854775809", False), "10,000 digits": (b"9" * 10000, False), "1e400": (b"1e400", False), "-1e400": (b"-1e400", False),
    "1e-400 is nothing": (b"1e-400", True), "more digits than a double": (b"0.1234567890123456789012345", True), "largest double": (b"1.7976931348623157e308", True), "smallest double": (b"5e-324", True),
    "a key twice": (b'{"a":1,"a":2}', False), "a key twice by escape": (b'{"a":1,"\\u0061":2}', False), "a key twice, alike": (b'{"a":1,"a":1}', False), "escaped NUL": (b'"\\u0000"', False),
    "escaped NUL in a key": (b'{"a\\u0000":1}', False), "high surrogate": (b'"\\ud800"', False), "low surrogate": (b'"\\udc00"', False), "surrogates the wrong way round": (b'"\\ude42\\ud83d"', False),
    "two high surrogates": (b'"\\ud800\\ud800"', False), "high surrogate and letter": (b'"\\ud83da"', False), "30 deep": (b"[" * 30 + b"]" * 30, True), "31 deep": (b"[" * 31 + b"]" * 31, False),
    "noncharacters": ("\"\ufffe\uffff\U0001fffe\"".encode(), True), "directions": ("\"\u202e\"".encode(), True), "1,001 members": (b"{" + b",".join(b'"k%d":1' % i for i in range(1001)) + b"}", False),
}
