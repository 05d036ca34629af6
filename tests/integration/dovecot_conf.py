"""The configuration of a Dovecot that needs no rights and touches nothing outside its directory."""

CONF = """\
base_dir = {d}/run
state_dir = {d}/state
instance_name = test
log_path = {d}/log
auth_verbose = yes
protocols = imap lmtp
listen = 127.0.0.1
# whoever runs it is every user of its own, and nothing changes root
default_internal_user = {user}
default_internal_group = {group}
default_login_user = {user}
service anvil {{
  chroot =
  # no penalty for refused logins, which would delay the next ones by up to 15 s
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
  unix_listener stats-writer {{
    mode = 0600
  }}
}}
service imap-login {{
  chroot =
  service_count = 0
  inet_listener imap {{
    address = 127.0.0.1
    port = {imap}
  }}
  inet_listener imaps {{
    address = 127.0.0.1
    port = {imaps}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
ssl = yes
ssl_cert = <{d}/chain.pem
ssl_key = <{d}/key.pem
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = {only_tls}
auth_mechanisms = plain login xoauth2 oauthbearer
auth_failure_delay = 0
passdb {{
  driver = passwd-file
  mechanisms = plain login
  args = scheme=PLAIN username_format=%u {d}/passwd
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {d}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={d}/mail/%u allow_all_users=yes
}}
mail_location = maildir:~/Maildir
mail_max_userip_connections = 100
mailbox_idle_check_interval = 1 secs
imap_idle_notify_interval = {idle_notify}
mail_fsync = never
first_valid_uid = 1
namespace inbox {{
  inbox = yes
  separator = {separator}
  mailbox Junk {{
    special_use = \\Junk
    auto = create
  }}
  mailbox Archive {{
    special_use = \\Archive
    auto = create
  }}
}}
{extra}
"""
TOKENS_CHECKED_HERE = """\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={d}/keys/
username_attribute = sub
"""
TOKENS_ASKED_ABOUT = """\
introspection_url = {url}
introspection_mode = post
username_attribute = username
active_attribute = active
active_value = true
"""
