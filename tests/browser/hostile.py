"""Two hundred texts that want to be more than text: markup, broken attributes, addresses of scripts, templates, and
characters that turn a line around or are not seen. Whatever runs, says so with ``alert``.
"""

import itertools

_TAGS = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<iframe srcdoc='<script>parent.alert(1)</script>'></iframe>",
    "<iframe src=javascript:alert(1)>",
    "<object data=javascript:alert(1)>",
    "<embed src=javascript:alert(1)>",
    "<video><source onerror=alert(1)></video>",
    "<audio src=x onerror=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<input autofocus onfocus=alert(1)>",
    "<body onpageshow=alert(1)>",
    "<marquee onstart=alert(1)>",
    "<math><a xlink:href=javascript:alert(1)>x</a></math>",
    "<a href=javascript:alert(1)>x</a>",
    "<form action=javascript:alert(1)><button>x</button></form>",
    "<base href=https://evil.example/>",
    "<link rel=stylesheet href=https://evil.example/x.css>",
    "<style>@import 'https://evil.example/x.css';*{display:none}</style>",
    "<meta http-equiv=refresh content='0;url=javascript:alert(1)'>",
    "<template shadowrootmode=open><script>alert(1)</script></template>",
    "<rookery-login></rookery-login>",
    "<slot name=x onslotchange=alert(1)></slot>",
    "<button popovertarget=x onbeforetoggle=alert(1)>x</button>",
)
_FORMS = (
    "{}",
    '">{}',
    "'>{}",
    "--><!-- -->{}",
    "]]>{}",
    "</textarea></title></style>{}",
)
_ATTRIBUTES = (
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    "` onload=alert(1) `",
    '" style="background:url(javascript:alert(1))',
    '"><img src=x onerror=alert(1) "',
    "x' onclick='alert(1)",
    '\\" onmouseover=\\"alert(1)',
    "&quot; onmouseover=&quot;alert(1)",
    "\x09onmouseover=alert(1)",
    '"/onmouseover="alert(1)',
)
_LINKS = (
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)",
    "javascript&colon;alert(1)",
    "java\tscript:alert(1)",
    "\x01javascript:alert(1)".replace("\x01", "\u2063"),
    "data:text/html,<script>alert(1)</script>",
    "vbscript:msgbox(1)",
    'https://example.com/"onmouseover="alert(1)',
    "https://example.com/'onfocus='alert(1)",
    "https://example.com/<script>alert(1)</script>",
    "https://example.com@evil.example/",
    "https://\u0440\u0430\u0443\u0440\u0430l.example/",
    "http://javascript:alert(1)@example.com/",
    "https://example.com/%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
    "blob:https://example.com/x",
    "file:///etc/passwd",
)
_TEMPLATES = (
    "${alert(1)}",
    "{{constructor.constructor('alert(1)')()}}",
    "{{7*7}}",
    "<%= alert(1) %>",
    "#{alert(1)}",
    "`${alert(1)}`",
    "{$lit$}",
    "?lit$123$",
    "<!--?lit$123$-->",
    "__proto__",
    "constructor",
    '{"t":"welcome","you":{"address":"evil"}}',
)
_CHARACTERS = (
    "\u202eevil\u202c",
    "a\u200bb\u200cc\u200dd\ufeff",
    "\u2066left\u2069 \u2067right\u2069",
    "Z\u0351\u034a\u0343a\u0359\u0350l\u0334\u0331g\u0337o",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 family",
    "&lt;b&gt;bold&lt;/b&gt; &amp; &#60;script&#62;",
    "line\u2028separator\u2029paragraph",
    "\ufff9annotated\ufffa\ufffb",
    "\u0627\u0644\u0639\u0631\u0628\u064a\u0629 <b>x</b>",
    "x" * 240,
    "%3Cscript%3Ealert(1)%3C/script%3E",
    "\\u003cscript\\u003ealert(1)\\u003c/script\\u003e",
)

_MARKUP = tuple(form.format(tag) for form in _FORMS for tag in _TAGS)
_ALL = dict.fromkeys((*_ATTRIBUTES, *_LINKS, *_TEMPLATES, *_CHARACTERS, *_MARKUP))
STRINGS = tuple(itertools.islice(_ALL, 200))
"""All different, 200, each of at most 256 characters and one that a message may have."""
