"""Names of secrets in other languages, folded as ``keys.words`` folds them. A table only."""

from __future__ import annotations

from typing import Final

FOREIGN: Final = {
    "passwort": "password",
    "kennwort": "password",
    "geheimnis": "secret",
    "geheim": "secret",
    "zugangsdaten": "credential",
    "anmeldedaten": "credential",
    "zugangsschlussel": "api_key",
    "zugriffsschlussel": "api_key",
    "api schlussel": "api_key",
    "privater schlussel": "private_key",
    "geheimer schlussel": "secret_key",
    "api schluessel": "api_key",
    "zugriffstoken": "token",
    "zugangstoken": "token",
    "losungswort": "password",
    "mot de passe": "password",
    "motdepasse": "password",
    "mdp": "password",
    "cle api": "api_key",
    "cle d api": "api_key",
    "cle secrete": "secret_key",
    "cle privee": "private_key",
    "cle d acces": "api_key",
    "jeton": "token",
    "code secret": "password",
    "phrase secrete": "seed_phrase",
    "phrase de recuperation": "seed_phrase",
    "phrase de passe": "password",
    "frase secreta": "seed_phrase",
    "frase semilla": "seed_phrase",
    "frase de recuperacion": "seed_phrase",
    "frase de recuperacao": "seed_phrase",
    "frase di recupero": "seed_phrase",
    "frase segreta": "seed_phrase",
    "wiederherstellungsphrase": "seed_phrase",
    "wiederherstellungsschlussel": "api_key",
    "verschlusselungsschlussel": "encryption_key",
    "signaturschlussel": "api_key",
    "hauptschlussel": "api_key",
    "geheimschlussel": "secret_key",
    "cle de chiffrement": "encryption_key",
    "cle de signature": "api_key",
    "cle d authentification": "api_key",
    "cle maitre": "api_key",
    "clave de cifrado": "encryption_key",
    "clave de encriptacion": "encryption_key",
    "clave de firma": "api_key",
    "clave maestra": "api_key",
    "clave de usuario": "password",
    "chave de criptografia": "encryption_key",
    "chave de acesso secreta": "secret_key",
    "chave mestra": "api_key",
    "chave de assinatura": "api_key",
    "chiave di crittografia": "encryption_key",
    "chiave di cifratura": "encryption_key",
    "chiave di firma": "api_key",
    "chiave maestra": "api_key",
    "ficha de acesso": "token",
    "testigo de acceso": "token",
    "gettone di accesso": "token",
    "code confidentiel": "password",
    "codigo secreto": "password",
    "codigo de acceso": "password",
    "codigo de acesso": "password",
    "codice di accesso": "password",
    "zugangscode": "password",
    "zugriffscode": "password",
    "anmeldetoken": "token",
    "sitzungstoken": "token",
    "authentifizierungstoken": "token",
    "aktualisierungstoken": "token",
    "identifiants": "credential",
    "contrasena": "password",
    "contrasenia": "password",
    "clave api": "api_key",
    "clave de api": "api_key",
    "clave secreta": "secret_key",
    "clave privada": "private_key",
    "clave de acceso": "password",
    "clave acceso": "password",
    "palabra clave secreta": "password",
    "secreto": "secret",
    "credenciales": "credential",
    "token de acceso": "token",
    "token acceso": "token",
    "token acesso": "token",
    "token acces": "token",
    "token accesso": "token",
    "senha": "password",
    "palavra passe": "password",
    "chave api": "api_key",
    "chave de api": "api_key",
    "chave da api": "api_key",
    "chave secreta": "secret_key",
    "chave privada": "private_key",
    "chave de acesso": "api_key",
    "segredo": "secret",
    "credenciais": "credential",
    "token de acesso": "token",
    "parola d ordine": "password",
    "parola chiave segreta": "password",
    "chiave api": "api_key",
    "chiave segreta": "secret_key",
    "chiave privata": "private_key",
    "chiave di accesso": "api_key",
    "segreto": "secret",
    "credenziali": "credential",
    "codice segreto": "password",
    "jeton d acces": "token",
    "token d acces": "token",
    "token di accesso": "token",
    "wachtwoord": "password",
    "losenord": "password",
    "adgangskode": "password",
    "passord": "password",
    "salasana": "password",
    "haslo": "password",
    "sifre": "password",
    "parola": "password",
    "heslo": "password",
    "jelszo": "password",
    "пароль": "password",
    "секрет": "secret",
    "токен": "token",
    "секретныи ключ": "secret_key",
    "密码": "password",
    "密碼": "password",
    "口令": "password",
    "密钥": "secret_key",
    "密鑰": "secret_key",
    "令牌": "token",
    "访问令牌": "token",
    "パスワード": "password",
    "暗証番号": "pin",
    "シークレット": "secret",
    "トークン": "token",
    "비밀번호": "password",
    "암호": "password",
    "비밀키": "secret_key",
    "토큰": "token",
}

FOREIGN_DESCRIPTORS: Final = frozenset(
    (
        "id name nom nombre nome typ type tipo lange laenge longueur longitud comprimento "
        "lunghezza richtlinie politique politica status estado etat stato anzahl count "
        "geandert modifie alterada cambiada requis requise requerida obligatoria "
        "vergessen oublie oublier olvidada olvido esqueci at am le datum date fecha data "
        "expire valide valida ungultig incorrecta incorrecto falsch policy length "
        "strength changed reset url path hint expira caduca vence vencimiento vencimento scade "
        "scadenza expiration ablauf gultig aktiv activa activo attiva ativa cambiado cambiata "
        "alterado modificata politik dauer duree duracion durata duracao versuche tentatives "
        "intentos tentativi tentativas minimo maximo regel regle regla regola regra zuletzt"
    ).split()
)

SPOKEN_ABROAD: Final = (
    "obligatoria obligatoire obligatoires obligatorios obbligatoria obbligatorio obrigatório "
    "obrigatória requise requises requerida requerido richiesta richiesto "
    "necesaria necesario necessaria necessario nécessaire vacía vacia vacío vide vuota "
    "vuoto vazia vazio leer corta corto courte "
    "court curta curto cortas débil debil faible debole fraca fraco schwach segura seguro sicher "
    "sicura sicuro sûr forte fuerte stark caducada caducado expiré expirée expirada scaduta "
    "scaduto abgelaufen geändert cambiada cambiado changé changée modifié modifiée modificada "
    "modificata alterada alterado cambiata aggiornata actualizada atualizada réinitialisé "
    "réinitialisée restablecida redefinida reimpostata zurückgesetzt incorrecto incorrect "
    "incorrecte incorrects incorreto errata errato sbagliata sbagliato errada errado errónea "
    "equivocada inválido invalido valida válida valide gültig ungültig correcta correcto correcte "
    "corretta corretto korrekt richtig demasiado muy trop très troppo muito zu kurz lang nicht no "
    "non pas não nunca jamais mai siempre toujours sempre immer doit deben devono müssen darf "
    "kann puede peut può pode ist sind wird wurde war ha sido été stata stato foi muss sollte "
    "debería devrait dovrebbe deveria erforderlich vergessen oubliée oublié olvidada olvidado "
    "dimenticata esquecida bloqueada bloqueado bloqué bloquée bloccata gesperrt compromise "
    "comprometida compromessa gehackt igual identique diferente différent diverso gleich "
    "con avec com mit para pour per für de del della do da la le el lo il o a"
).split()
"""Words of messages about a password in other languages: what they say is no password."""
