"""What web pages and models say instead of an answer."""

from __future__ import annotations

import re

# normalised: lower case, no signs; English, German, French, Spanish, Italian, Portuguese, Dutch
BOILERPLATE = frozenset(
    line.strip()
    for line in """
    accept all
    accept all cookies
    accept cookies
    access denied
    add to cart
    all rights reserved
    back to top
    by continuing to use this site you agree to our use of cookies
    by continuing to use this website you agree to our use of cookies
    click here
    click here for details
    click here for more
    click here for more details
    click here for more information
    click here to learn more
    click here to read more
    coming soon
    contact us
    content not available
    cookie policy
    cookie settings
    copyright
    enable javascript
    error 404
    find out more
    follow us
    forbidden
    go back
    home
    internal server error
    javascript is disabled
    javascript is disabled in your browser
    javascript is required
    learn more
    load more
    loading
    log in
    lorem ipsum
    lorem ipsum dolor sit amet
    menu
    more details
    more info
    more information
    next page
    not found
    page not found
    please enable javascript
    please enable javascript to continue
    please enable javascript to view this page
    please wait
    privacy policy
    read more
    see more
    share this
    show more
    sign in
    sign up
    skip to content
    skip to main content
    subscribe
    subscribe to our newsletter
    terms and conditions
    terms of service
    terms of use
    the page you are looking for could not be found
    the page you are looking for does not exist
    the page you requested could not be found
    this page could not be found
    this page does not exist
    this page is under construction
    this page is unavailable
    this site uses cookies
    this website uses cookies
    this website uses cookies to ensure you get the best experience
    this website uses cookies to ensure you get the best experience on our website
    this website uses cookies to improve your experience
    toggle navigation
    under construction
    use of cookies
    we use cookies
    we use cookies to improve your experience
    we use cookies to improve your experience on our website
    alle cookies akzeptieren
    alle rechte vorbehalten
    datenschutz
    diese seite verwendet cookies
    diese website verwendet cookies
    hier klicken
    impressum
    klicken sie hier
    mehr erfahren
    mehr lesen
    seite nicht gefunden
    weiterlesen
    wir verwenden cookies
    zum inhalt springen
    accepter les cookies
    accepter tous les cookies
    ce site utilise des cookies
    cliquez ici
    en savoir plus
    lire la suite
    mentions légales
    page introuvable
    page non trouvée
    tous droits réservés
    aceptar cookies
    aceptar todas las cookies
    aviso legal
    este sitio utiliza cookies
    este sitio web utiliza cookies
    haga clic aquí
    haz clic aquí
    leer más
    más información
    página no encontrada
    todos los derechos reservados
    accetta tutti i cookie
    clicca qui
    leggi di più
    leggi tutto
    pagina non trovata
    questo sito utilizza i cookie
    tutti i diritti riservati
    clique aqui
    este site usa cookies
    leia mais
    saiba mais
    todos os direitos reservados
    alle rechten voorbehouden
    deze website gebruikt cookies
    klik hier
    lees meer
    meer informatie
    pagina niet gevonden
    """.splitlines()
    if line.strip()
)
# words around those phrases that say nothing more
FILLERS = frozenset(re.findall(r"\w+", "a and de here la le more or our page please site the this to us website www"))

_MODEL = r"an? (?:ai|artificial intelligence|(?:large )?language model|virtual assistant|chatbot)\b"
_PEOPLE = r"(?!,? (?:engineer|researcher|expert|enthusiast|student|developer|company|startup|technolog))"
_SORRY = (
    r"(?:(?:(?:i'm|i am|we're|we are) )?(?:very |so |really |truly )?(?:sorry|afraid)|"
    r"(?:i|we) apologi[sz]e|my apologies|unfortunately)"
)
_CANNOT = r"(?:can't|cannot|can not|could not|couldn't|won't|will not|(?: ?am|'m) (?:not able|unable) to)"
# what a model is asked for; people in a letter cannot "attend" or "come"
_REFUSED = (
    r"(?:help (?:you )?with (?:that|this|your request)|assist (?:you )?(?:with|in)\b|fulfil|comply|engage in|discuss|"
    r"answer (?:that|this|your)|(?:provide|generate|create|write|access|browse|process)\b|continue with|"
    r"complete (?:that|this|your)|share (?:that|this))"
)
_LACKING = (
    r"(?:do not|don't) have (?:access to|the (?:ability|capability)|personal|feelings|emotions|real[- ]time|"
    r"enough (?:information|context))"
)
# only at the beginning of an answer: further on it is what a text tells
REFUSAL = re.compile(
    rf"\s*(?:{_SORRY}[,.;:!]? ?)?(?:(?:but|that) )*(?:"
    rf"as {_MODEL}{_PEOPLE}|"
    rf"i(?: am|'m) (?:just |only |simply )?{_MODEL}{_PEOPLE}|"
    rf"i ?{_CANNOT} {_REFUSED}|"
    rf"i {_LACKING}|"
    r"<?no ?output>?(?: possible| available| needed)?[.,]?\s*$|"
    r"(?:no output possible, )?this (?:type of )?(?:instruction|task|request)[^.]{0,60}"
    r" not (?:suitable|possible)[^.]{0,30} (?:language model|gpt|ai)\b)",
    re.IGNORECASE,
)
