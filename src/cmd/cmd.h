/* cmd.h - the subcommands: each takes its own argc and argv (argv[0] is "dms NAME") and returns the exit status. */
#ifndef DMS_CMD_CMD_H
#define DMS_CMD_CMD_H

int cmd_up(int argc, char **argv);
int cmd_serve(int argc, char **argv);
int cmd_worker(int argc, char **argv);
int cmd_migrate(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_config(int argc, char **argv);
int cmd_admin(int argc, char **argv);
int cmd_version(int argc, char **argv);
int cmd_routes(int argc, char **argv);
int cmd_readiness(int argc, char **argv);

/* The client: the same API as everybody's (client.h). */
int cmd_login(int argc, char **argv);
int cmd_logout(int argc, char **argv);
int cmd_whoami(int argc, char **argv);
int cmd_upload(int argc, char **argv);
int cmd_ls(int argc, char **argv);
int cmd_search(int argc, char **argv);
int cmd_get(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_jobs(int argc, char **argv);

#endif
