/* second_factor.h - what signing in needs of second_factor.c. */
#ifndef DMS_API_SECOND_FACTOR_H
#define DMS_API_SECOND_FACTOR_H

#include "api/api.h"

enum { OTP_MAX = 40 }; /* bytes of what a person types */

/* Asked once the password was right. otp: what the person typed, or NULL. 0: *ret_used says whether there is a second factor, which then was right.
   -1 and req->err: it is missing or wrong (UNAUTHORIZED, field otp), or it has to wait (RATE_LIMITED). tenant_id: where a wrong one is audited. */
MUST_CHECK int second_factor_check(struct request *req, const char *tenant_id, const char *user_id, const char *otp,
                                   bool *ret_used);

#endif
