-- The password of who is signed in, to be compared.
SELECT email, name, password_hash FROM account_password($1)
