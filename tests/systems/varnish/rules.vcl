# As little as a user would write: what is not here is done by the rules that are built in.
vcl 4.1;

backend origin {
    .host = "{host}";
    .port = "{port}";
}

acl purgers {
    "127.0.0.1";
}

sub vcl_recv {
    if (req.method == "PURGE") {
        if (client.ip !~ purgers) {
            return (synth(405, "not for you"));
        }
        if (req.url == "/cache") {
            ban("obj.status != 0");
            return (synth(200, "all gone"));
        }
        return (purge);
    }
}

sub vcl_backend_fetch {
    # Past the origin's own cache: there is one cache in this system.
    if (bereq.url ~ "^/api/items/\d+$") {
        set bereq.url = bereq.url + "?nocache=1";
    }
}

sub vcl_backend_response {
    unset beresp.http.X-Cache;
    unset beresp.http.Cache-Status;
    set beresp.ttl = 60s;
    set beresp.grace = 0s;
}

sub vcl_deliver {
    # Without it, what the built-in rules send must do.
    if (req.http.Without == "X-Cache") {
        return (deliver);
    }
    if (obj.hits > 0) {
        set resp.http.X-Cache = "HIT";
    } else {
        set resp.http.X-Cache = "MISS";
    }
}
