-- The next mail to send, this sender's for $1 seconds.
SELECT id, template, recipient, locale, given, attempts, age FROM mail_take($1::int)
