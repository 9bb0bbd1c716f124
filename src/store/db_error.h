/* db_error.h - what PostgreSQL's SQLSTATEs mean to us; shared by the blocking and the pipelined connection. Inside store/ only. */
#ifndef DMS_STORE_DB_ERROR_H
#define DMS_STORE_DB_ERROR_H

#include "base/error.h"

#include <libpq-fe.h>

/* Sets err from a failed result; what names the statement. Always -1. */
int  db_error_of(const PGresult *res, const PGconn *conn, const char *what, struct error *err);
bool db_error_retryable(const PGresult *res); /* serialization failure or deadlock: run the transaction again */
/* Number of rows a statement returned or touched. */
int db_result_count(const PGresult *res);

#endif
