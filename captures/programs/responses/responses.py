"""Responses, most of them malformed, and a server that sends the n-th of them to `GET /n` and closes.

    responses.py                 how many there are
    responses.py serve PORT      serves them

Each class of faults is a function: where a fault stands, which bytes it has, and what else the response says vary.
"""

import gzip
import random
import socket
import sys
import threading
import zlib

BODY=b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
assert len(BODY)==68
T=b"Server: s\r\nContent-Type: text/plain\r\n"
C={}
def add(name,b):
    assert name not in C,name
    C[name]=b
CLOSE=b"Connection: close\r\n"
def resp(start=b"HTTP/1.1 200 OK\r\n",pre=b"",mid=b"",post=b"",length=b"Content-Length: 68\r\n",end=b"\r\n",body=BODY,close=True,t=T):
    return start+pre+t+mid+length+post+(CLOSE if close else b"")+end+body
n=0
def A(cls,b):
    global n
    n+=1; add("%s-%03d"%(cls,n),b)
def cls(fn):
    global n; n=0
    fn(); return fn
def chunked(data=BODY,size=None,sizeend=b"\r\n",end=b"\r\n",last=b"0\r\n\r\n"):
    return (b"%x"%len(data) if size is None else size)+sizeend+data+end+last
TE=b"Transfer-Encoding: chunked\r\n"
@cls
def versions():
    for v in [b"HTTP/1.2",b"HTTP/1.0",b"HTTP/0.9",b"HTTP/2",b"HTTP/2.0",b"HTTP/3.0",b"HTTP/1",b"HTTP/1.",b"HTTP/.1",b"HTTP/11",b"HTTP/1.10",b"HTTP/01.1",b"HTTP/1.1x",b"HTTP/ 1.1",b"HTTP 1.1",b"http/1.1",b"Http/1.1",b"HTTP/1.1\t",b"HTTP/1,1",b"HTTP/-1.1",b"HTTP/1.1\0",b"HTP/1.1",b"ICY",b"RTSP/1.0",b"SIP/2.0",b"HTTP/9.9",b"HTTP/1.9",b"HTTP/a.b",b"HTTP/1.a",b"HTTP/",b"HTTP",b"H",b"FTP/1.1",b"HTTP\\1.1",b"HTTP/1.1 HTTP/1.1",b"HTTP/3",b"HTTP/1.3",b"HTTP/12",b"HTTP/10.1",b"HTTP/1.01",b"hTTP/1.1",b"HTTP/1.1\r",b"HTTP/1.1\x0b",b"HTTP /1.1",b"HTTP//1.1",b"HTTPS/1.1",b"XHTTP/1.1",b"HTTP/1.1,",b"ICE/1.0", b"HTTP/2.1",b"HTTP/4.0"]:
        A("version",resp(v+b" 200 OK\r\n"))
    A("version",resp(b"200 OK\r\n")); A("version",resp(b"\r\n")); A("version",resp(b" 200 OK\r\n"))
@cls
def status():
    for s in [b"2 OK",b"20 OK",b"2000 OK",b"20x OK",b"x00 OK",b"200x OK",b"+200 OK",b"-200 OK",b"000 OK",b"099 OK",b"999 OK",b"600 OK",b" 200 OK",b"\t200 OK",b"",b"200",b"200 ",b"200\tOK",b"200OK",b"200 O\0K",b"200 O\xffK",b"200 O\x01K",b"200 O\rK",b"OK",b"OK 200",b"0200 OK",b"0 OK",b"1 OK",b"99 OK",b"2 00 OK",b"200.0 OK",b"20\0 OK",b"\xb2\xb0\xb0 OK",b"   200 OK",b"20000000000000000000 OK",b"200-OK",b"200,OK",b"-20 OK",b"0x1 OK",b"200\x0bOK",b"200 "+b"r"*5000,b"1000 OK",b"012 OK",b"200  OK",b"2e2 OK",b"2_0 OK",b"\xef\xbc\x92\xef\xbc\x90\xef\xbc\x90 OK"]:
        A("status",resp(b"HTTP/1.1 "+s+b"\r\n"))
    for s in [b"HTTP/1.1",b"HTTP/1.1\t200\tOK",b"HTTP/1.1  200 OK",b"HTTP/1.1200 OK",b"HTTP/1.0 2000 OK",b"HTTP/1.0 20 OK"]:
        A("status",resp(s+b"\r\n"))
@cls
def before():
    for b in [b"\n",b"\r\n",b"\r\r",b"\n\n",b"\r\n\r\n",b" ",b"\t",b"\0",b"\xef\xbb\xbf",b"X",b"junk\r\n",b"\0\0\0\0",b"\r",b"\r\r\n",b"\n\r",b"junk",b"junk\n",b"X: y\r\n",b"\r\n"*10,b"\n"*12,b" \r\n",b"\x0b",b"\xff",b" \t ",b"\x1b",b"x"*40,b"x"*300,b"GET / HTTP/1.1\r\n",b"\r\n \r\n",b"0\r\n\r\n"]:
        A("before",b+resp())
@cls
def lineend():
    A("lineend",resp(b"HTTP/1.1 200 OK\n")); A("lineend",resp(b"HTTP/1.1 200 OK\r")); A("lineend",resp(b"HTTP/1.1 200 OK\r\r\n")); A("lineend",resp(b"HTTP/1.1 200 OK\n\r"))
    A("lineend",resp(b"HTTP/1.1 200\n")); A("lineend",resp(b"HTTP/1.1 200 \n")); A("lineend",resp(b"HTTP/1.1 200\r"));A("lineend",resp(b"HTTP/1.1 200 \r\r\n"));A("lineend",resp(b"HTTP/1.1 200\r\r\n"))
    for e in [b"\n",b"\r",b"\r\r\n",b"\n\r"]:
        A("lineend",resp(pre=b"X: y"+e)); A("lineend",resp(mid=b"X: y"+e)); A("lineend",resp(length=b"Content-Length: 68"+e)); A("lineend",resp(post=b"X: y"+e,close=False)); A("lineend",resp(pre=b"X:"+e));A("lineend",resp(post=TE[:-2]+e,length=b"",body=chunked()));A("lineend",resp(length=b"",post=b"Connection: close"+e,close=False))
    for e in [b"\n",b"\r",b"\r\r\n",b"\n\r\n",b" \r\n",b"\r\n\r\n",b"\r ",b"\r\n\n",b"\t\r\n",b"\r\0\n",b"\n\r",b"\r\r"]:
        A("lineend",resp(end=e)); A("lineend",resp(end=e,length=TE,body=chunked()))
    a=resp().replace(b"\r\n",b"\n"); A("lineend",a)
    A("lineend",resp(length=TE,body=chunked()).replace(b"\r\n",b"\n"))
    A("lineend",resp(length=TE,body=b"").replace(b"\r\n",b"\n")+chunked())
    A("lineend",resp().replace(b"\r\n",b"\r")); A("lineend",resp().replace(b"\r\n",b"\n\r")); A("lineend",resp().replace(b"\r\n",b"\r\r\n"))
    A("lineend",resp(start=b"HTTP/1.1 200 OK\n",post=b"Y: z\n",close=False))
    A("lineend",resp(t=b"Server: s\nContent-Type: text/plain\n"))
    A("lineend",resp(length=b"Content-Length: 68\n",close=False,end=b"\n"))
@cls
def fields():
    lines=[b"X : y",b"X\t: y",b"X Z: y",b"X\0Z: y",b"\0X: y",b"X\0: y",b"X\x01Z: y",b"X\x7fZ: y",b"X\x80Z: y",b"X\xffZ: y",b"X(Z: y",b"X@Z: y",b"X[Z: y",b"X{Z: y",b"X\"Z: y",b"X/Z: y",b"X;Z: y",b"X=Z: y",b"X,Z: y",b": y",b"foo",b"foo bar",b"X: y\0z",b"X: \0",b"X: y\x01z",b"X: y\x7fz",b"X: y\x80z",b"X: y\xffz",b"X: y\rz",b"X: y\tz",b"X: y\x0bz",b"X: y\x1fz",b" X: y",b"\tX: y",b"X: y\r\n z",b"X: y\r\n\tz",b"X: y\r\n ",b"X:\r\n y",b"X:y",b"X:",b"X: ",b"X",b"\xff",b"\x80: y",b"HTTP/1.1 200 OK",b"X: y\r\n  z: w",b"X  : y",b" : y",b"   ",b"X\rZ: y",b"X\r: y",b"\rX: y",b"X:\ry",b"X: y\n z",b"X: y\x00",b"X\x0b: y",b"X\xa0: y",b"=: y",b"foo\0",b"foo\xff",b"(foo): y"]
    for l in lines:
        A("field",resp(pre=l+b"\r\n")); A("field",resp(mid=l+b"\r\n")); A("field",resp(post=l+b"\r\n",close=False)); A("field",resp(post=l+b"\r\n",length=TE,close=False,body=chunked()))
    A("field",resp(pre=b"X"*70000+b": y\r\n")); A("field",resp(pre=b"".join(b"X%d: y\r\n"%i for i in range(150)))) ; A("field",resp(pre=b"X: "+b"y"*20000+b"\r\n"))
@cls
def length():
    for v in [b"+68",b"-68",b"0x44",b"68 ",b" 68",b"68 68",b"68, 68",b"68,136",b"68;",b"68.0",b"68.9",b"68a",b"a68",b"",b" ",b"'68'",b"\"68\"",b"68\0",b"68\xa0",b"6 8",b"068",b"2147483648",b"4294967364",b"9223372036854775807",b"9223372036854775808",b"18446744073709551615",b"18446744073709551616",b"18446744073709551684",b"1"+b"0"*30,b"68\t",b"\t68",b"68,",b",68",b"68\x0b",b"\x0b68",b"\0"+b"68",b"\xef\xbc\x96\xef\xbc\x98",b"6_8",b"0",b"-1",b"-0",b"100",b"34",b"68   34",b"68   136",b"136   68",b"68;34",b"68 a",b"68/34",b"six",b"0b1",b"1e2",b"NaN",b"68, 68, 68",b"34, 68",b"00000000000000000000000000000068",b"68\r",b"\r68"]:
        A("length",resp(length=b"Content-Length: "+v+b"\r\n")); A("length",resp(length=b"Content-Length: "+v+b"\r\n",close=False))
    for a,b in [(b"68",b"68"),(b"68",b"34"),(b"34",b"68"),(b"68",b"x"),(b"x",b"68"),(b"68",b""),(b"68",b"0"),(b"0",b"68"),(b"68",b"136"),(b"136",b"68"),(b"68",b"068"),(b"68",b"+68")]:
        A("length",resp(length=b"Content-Length: "+a+b"\r\nContent-Length: "+b+b"\r\n"))
        A("length",resp(length=b"Content-Length: "+a+b"\r\n",pre=b"Content-Length: "+b+b"\r\n"))
    for l in [b"content-length: 68",b"Content-Length : 68",b"Content-Length\t: 68",b"Content-Length:68",b"Content-Length:\r\n 68",b"Content-Length: 6\r\n 8",b"Content-Length: 68\r\n 34",b" Content-Length: 68",b"Content_Length: 68",b"Content-Length\0: 68",b"\0Content-Length: 68",b"Content-Length 68",b"Content-Length;68",b"Content -Length: 68",b"Content-Length",b"Content-Length\x0b: 68",b"Content-Length\xa0: 68"]:
        A("length",resp(length=l+b"\r\n")); A("length",resp(length=l+b"\r\n",close=False))
    A("length",resp(length=b"",close=False)); A("length",resp(length=b"Content-Length: 68\r\n",start=b"HTTP/1.0 200 OK\r\n",close=False))
@cls
def te():
    vals=[b"chunked",b"Chunked",b"CHUNKED",b"chunked, chunked",b"chunked,identity",b"identity",b"identity, chunked",b"gzip, chunked",b"chunked, gzip",b"xchunked",b"chunkedx",b"chunked ",b"chunked;a=b",b"\"chunked\"",b"'chunked'",b"\x0bchunked",b"chunked\x0b",b"chunked\0",b"\0chunked",b"chun ked",b"chunked,",b",chunked",b"chunked foo",b"foo",b"foo, chunked",b"chunked, foo",b"",b"\tchunked",b"chunked\t",b"chunked\xa0",b"\xa0chunked",b"identity chunked",b"chu",b"gzip",b"deflate",b"chunked;",b"identity,chunked,identity",b"lalala",b"x chunked",b"chunked\r",b"chunked\r\n chunked",b"\r\n chunked",b"chunked\r\n "]
    for v in vals:
        for body,bn in [(chunked(),'c'),(BODY,'p')]:
            A("te",resp(length=b"Transfer-Encoding: "+v+b"\r\n",body=body))
        A("te",resp(length=b"Transfer-Encoding: "+v+b"\r\n",body=chunked(),close=False))
        A("te",resp(length=b"Transfer-Encoding: "+v+b"\r\nContent-Length: 68\r\n",body=BODY))
        A("te",resp(length=b"Content-Length: 68\r\nTransfer-Encoding: "+v+b"\r\n",body=chunked()))
    for a,b in [(b"chunked",b"chunked"),(b"chunked",b"identity"),(b"identity",b"chunked"),(b"foo",b"chunked"),(b"chunked",b"foo"),(b"gzip",b"chunked"),(b"chunked",b"gzip"),(b"",b"chunked"),(b"chunked",b"")]:
        for body in (chunked(),BODY):
            A("te",resp(length=b"Transfer-Encoding: "+a+b"\r\nTransfer-Encoding: "+b+b"\r\n",body=body))
    for l in [b"Transfer-Encoding : chunked",b"Transfer-Encoding\t: chunked",b"Transfer-Encoding:chunked",b"Transfer-Encoding\0: chunked",b"Transfer_Encoding: chunked",b"\0Transfer-Encoding: chunked",b" Transfer-Encoding: chunked",b"Transfer-Encoding chunked",b"Transfer-Encoding; chunked",b"Transfer-Encoding\xa0: chunked"]:
        A("te",resp(length=l+b"\r\n",body=chunked())); A("te",resp(length=l+b"\r\n",body=BODY))
    for body in (chunked(),BODY):
        A("te",resp(start=b"HTTP/1.0 200 OK\r\n",length=TE,body=body)); A("te",resp(start=b"HTTP/1.0 200 OK\r\n",length=TE+b"Content-Length: 68\r\n",body=body)); A("te",resp(start=b"HTTP/1.2 200 OK\r\n",length=TE,body=body)); A("te",resp(start=b"HTTP/0.9 200 OK\r\n",length=TE,body=body)); A("te",resp(start=b"HTTP/2.0 200 OK\r\n",length=TE,body=body));A("te",resp(start=b"HTTP/3.1 200 OK\r\n",length=TE,body=body));A("te",resp(start=b"HTTP/1.1 204 No\r\n",length=TE,body=body));A("te",resp(start=b"HTTP/1.1 304 No\r\n",length=TE,body=body))
@cls
def chunks():
    s=b"44"
    for v in [b" 44",b"\t44",b"44 ",b"44\t",b"0x44",b"+44",b"-44",b"44x",b"x44",b"g",b"",b"44;ext",b"44;ext=\"v\"",b"44 ; ext",b"44 ext",b"44\0",b"\x0044",b"44,",b"44\x80",b"000044",b"0"*20+b"44",b"10000000000000044",b"ffffffffffffffff",b"fffffffffffffffff",b"44;"+b"e"*5000,b"44;"+b"e"*20000,b"4 4",b"44\x0b",b"\x0b44",b"44;e\0x",b"44;e\x80",b"44;e=\"\r\n\"",b"44;;",b"44;=",b"44;e=",b"44;e=v;f",b"44;\x01",b"44;e\tv",b"4_4",b"44h",b"44.",b"'44'",b"\"44\"",b"0",b"00",b"45",b"43",b"7fffffffffffffff",b"8000000000000000",b"ffffffff",b"100000044",b"   44   ",b"44   ",b"44\x0c",b"\x0c44",b"44\xa0",b"44\r",b"\r44",b"44\r\r",b"44:ext",b"44 x",b"44 \0",b"\xff44",b"4\x004",b"44#",b"44;\"",b"44; ",b"44;a b",b"44;a=b c",b"44 ;",b"0044;x",b"44e0000000000000000"]:
        A("chunk",resp(length=TE,body=chunked(size=v)))
    for e in [b"\n",b"\r",b"\r\r\n",b"\n\r",b"",b"\r\n\r\n",b"\n\n",b"\r \n"]:
        A("chunk",resp(length=TE,body=chunked(sizeend=e)))
        A("chunk",resp(length=TE,body=chunked(size=b"44;x",sizeend=e)))
        A("chunk",resp(length=TE,body=chunked(size=b"44 ",sizeend=e)))
    for e in [b"\n",b"",b"\r",b"XX",b"\r\r\n",b"X\r\n",b"\n\r",b"\r\n\r\n",b" \r\n",b"\0",b"X\n",b"\rX",b"\r\n\n",b"XX\r\n"]:
        A("chunk",resp(length=TE,body=chunked(end=e)))
    for l in [b"",b"0",b"0\r",b"0\r\n",b"0\r\n\r",b"00\r\n\r\n",b"0;x\r\n\r\n",b"0x\r\n\r\n",b"0 \r\n\r\n",b"\r\n",b"0\r\nX: y\r\n\r\n",b"0\r\nno colon\r\n\r\n",b"0\r\nX: y\n\n",b"0\r\n\n",b"0\n\r\n",b"0\n\n",b"0\r\n\r\njunk",b"0\r\n\r\n\r\n",b"0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",b"0\r\nX : y\r\n\r\n",b"0\r\nX: \0\r\n\r\n",b"0\r\n X\r\n\r\n",b"0\r\nX: y\r\n z\r\n\r\n",b"0\r\nX: y",b"0\r\nX: y\r\n",b"g\r\n\r\n",b"-0\r\n\r\n",b"0\r\n\r\r\n",b"0\r\rn\r\n",b"0\r\njunk",b"0\r\nContent-Length: 5\r\n\r\n",b"000000000000000000000\r\n\r\n",b"0\t\r\n\r\n",b"0\0\r\n\r\n",b"5\r\nabc",b"5\r\nabcde",b"5\r\nabcde\r",b"5\r\nabcde\r\n",b"5\r\n",b"5",b"5\r\nabcde\r\n0",b"5\r\nabcdef\r\n0\r\n\r\n"]:
        A("chunk",resp(length=TE,body=chunked(last=l))); A("chunk",resp(length=TE,body=chunked(last=l),close=False))
    A("chunk",resp(length=TE,body=b"")); A("chunk",resp(length=TE,body=b"\r\n"+chunked())); A("chunk",resp(length=TE,body=b"\n"+chunked())); A("chunk",resp(length=TE,body=b" \r\n"+chunked())); A("chunk",resp(length=TE,body=b"\r"+chunked()))
    two=lambda x:chunked(BODY[:34],last=x)
    for v in [b"22x\r\n",b" 22\r\n",b"22 \r\n",b"g22\r\n",b"\r\n22\r\n",b"22\n",b"22;x\r\n",b"+22\r\n",b"0x22\r\n",b"22\r\r\n",b"-22\r\n",b"\x0b22\r\n",b"fx\r\n",b"x22\r\n",b"22\0\r\n",b"\x0022\r\n"]:
        A("chunk",resp(length=TE,body=two(v+BODY[34:]+b"\r\n0\r\n\r\n")))
    A("chunk",resp(length=TE,close=False,body=chunked())); 
@cls
def coding():
    z=gzip.compress(BODY,mtime=0); d=zlib.compress(BODY); r=zlib.compress(BODY)[2:-4]
    bad=bytearray(z); bad[-6]^=0xff; dam=bytearray(z); dam[20]^=0xff; badl=bytearray(z); badl[-1]^=1
    bodies=[z,d,r,BODY,bytes(bad),bytes(dam),bytes(badl),z[:-8],z[:-4],z[:30],z+b"junk",z+z,d[:-4],d+b"x",gzip.compress(z),b"",z[:5],z[:10],b"\x1f\x8b",b"\x78\x9c",gzip.compress(b"")]
    for co in [b"gzip",b"deflate",b"x-gzip",b"gzip, gzip",b"deflate, gzip",b"gzip, deflate",b"br",b"identity",b"foo",b"GZIP",b"gzip;q=1",b"\"gzip\"",b"gzip,",b"x-deflate",b"compress",b"deflate,identity"]:
        for b in bodies:
            A("coding",resp(length=b"Content-Encoding: "+co+b"\r\nContent-Length: %d\r\n"%len(b),body=b))
        A("coding",resp(length=b"Content-Encoding: "+co+b"\r\n"+TE,body=chunked(BODY)))
        A("coding",resp(length=b"Content-Encoding: "+co+b"\r\n",body=BODY))
    for a,b in [(b"gzip",b"gzip"),(b"gzip",b"deflate"),(b"deflate",b"gzip"),(b"identity",b"gzip")]:
        for body in bodies[:4]+[bodies[14]]:
            A("coding",resp(length=b"Content-Encoding: "+a+b"\r\nContent-Encoding: "+b+b"\r\nContent-Length: %d\r\n"%len(body),body=body))
@cls
def after():
    for x in [b"x",b"junk",b"\r\n",b"\n",b"\0",b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",BODY,b" ",b"\r",b"HTTP/1.1 100 Continue\r\n\r\n",b"H",b"\r\n\r\n",b"<html>\r\n",b"junk\r\n\r\n"]:
        for close in (True,False):
            A("after",resp(close=close,body=BODY+x))
            A("after",resp(close=close,length=TE,body=chunked()+x))
            A("after",resp(close=close,start=b"HTTP/1.0 200 OK\r\n",body=BODY+x))
        A("after",resp(start=b"HTTP/1.1 204 No\r\n",length=b"",body=x)); A("after",resp(start=b"HTTP/1.1 204 No\r\n",length=b"",body=x,close=False))
        A("after",resp(start=b"HTTP/1.1 304 No\r\n",length=b"",body=x)); A("after",resp(start=b"HTTP/1.1 304 No\r\n",length=b"",body=x,close=False))
        A("after",resp(start=b"HTTP/1.1 200 OK\r\n",length=b"Content-Length: 0\r\n",body=x)); A("after",resp(length=b"Content-Length: 0\r\n",body=x,close=False))
    for s in [100,101,102,103,199,204,205,304]:
        for close in (True,False):
            st=b"HTTP/1.1 %d X\r\n"%s
            A("after",resp(start=st,close=close)); A("after",resp(start=st,close=close,length=TE,body=chunked())); A("after",resp(start=st,close=close,length=b"",body=b""))
            A("after",st+b"\r\n"+resp(close=close)); A("after",st+b"\r\n"+st+b"\r\n"+resp(close=close)); A("after",st+b"X: y\r\nContent-Length: 4\r\n\r\n"+resp(close=close))
            A("after",st+b"X y\r\n\r\n"+resp(close=close)); A("after",st+b"X : y\r\n\r\n"+resp(close=close)); A("after",st.replace(b"1.1",b"1.0")+b"\r\n"+resp(close=close))
    A("after",resp(start=b"HTTP/1.1 101 S\r\n",length=b"Upgrade: x\r\nConnection: upgrade\r\n",close=False))
@cls
def cut():
    r=resp()
    for i in [1,3,5,7,8,9,10,12,13,15,16,17,20,26,30,len(r)-68,len(r)-69,len(r)-70,len(r)-71,len(r)-72,len(r)-67,len(r)-1,0]:
        A("cut",r[:i])
    r=resp(length=TE,body=chunked())
    for i in range(len(r)-7-72,len(r)-7-66): A("cut",r[:i])
    for s in [b"x",b"\n",b"\r\n",b"hello",b"hello\n",b"hello\r\n",b"hello\r\n\r\n",b"<html>hi</html>",b"SSH-2.0-OpenSSH_9.2p1\r\n",b"220 smtp ready\r\n",b"\x15\x03\x01\x00\x02\x02\x46",b"\0"*20,b"x"*10000,b"\0\0\x12\x04\0\0\0\0\0"+b"\0"*18,b"HTTP",b"HTTP/",b"HTTP/1.1 ",b"HTTP/1.1\n\n",b"HTTP/1.1\r\n\r\n",b"HTTP/1.1 200\r\n\r\n",b"HTTP/1.1 200\n\n",b"HTTP/1.1 200 OK\n\nbody",b"HTTP/1.1 200 OK\r\n\r\nbody",b"HTTP/1.1 OK\r\n\r\nbody",b"\xff"*30,b"-ERR wrong\r\n",b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",b"{\"a\":1}",b"{\"a\":1}\n",b"hello: y\r\n\r\n",b"http://x\r\n"]:
        A("cut",s)
def pairs():
    global n; n=0
    rnd=random.Random(7)
    starts=[b"HTTP/1.1 200 OK\r\n"]*3+[b"HTTP/1.2 200 OK\r\n",b"HTTP/1.1 200 OK\n",b"HTTP/1.0 200 OK\r\n",b"HTTP/1.1 2000 OK\r\n",b"HTTP/0.9 200 OK\r\n",b"\nHTTP/1.1 200 OK\r\n",b"http/1.1 200 OK\r\n",b"HTTP/1.1  200 OK\r\n",b"HTTP/2 200 OK\r\n",b"HTTP/1.1\0 200 OK\r\n", b"HTTP/1.1 200 O\0K\r\n"]
    fl=[b""]*2+[b"X : y\r\n",b"foo\r\n",b"X\0: y\r\n",b"X: \0\r\n",b"X: y\n",b"X: y\r\n z\r\n",b"X: y\x01\r\n",b"X: y\r\r\n",b" X: y\r\n",b": y\r\n",b"X\x80: y\r\n",b"X Y: y\r\n"]
    ln=[b"Content-Length: 68\r\n"]*2+[TE]*3+[b"Content-Length: 68\n",b"Content-Length: x\r\n",b"Content-Length: 68\r\nContent-Length: 68\r\n",TE+b"Content-Length: 68\r\n",b"Content-Length: 136\r\n",b"Content-Length: 34\r\n",b"",b"Transfer-Encoding: foo\r\n",b"Transfer-Encoding: chunked, foo\r\n",b"Content-Length: 68,68\r\n",b"Transfer-Encoding: xchunked\r\n",b"Transfer-Encoding : chunked\r\n"]
    bd=[BODY,chunked(),chunked(size=b"44x"),chunked(size=b" 44"),chunked(end=b"\n"),chunked(last=b""),chunked(sizeend=b"\n"),chunked(size=b"g"),chunked(size=b"44;x"),chunked(size=b"44 "),chunked()+b"junk",BODY+b"junk"]
    for i in range(320):
        A("pair",resp(start=rnd.choice(starts),pre=rnd.choice(fl),mid=rnd.choice(fl+[b""]*10),length=rnd.choice(ln),body=rnd.choice(bd),close=rnd.random()<.5))
pairs()
NAMES = list(C)


def answer(connection, all_of):
    try:
        connection.settimeout(5)
        request = b""
        while b"\r\n\r\n" not in request:
            more = connection.recv(65536)
            if not more:
                return
            request += more
        response = all_of[int(request.split(b" ")[1].split(b"/")[-1])]
        if response:
            connection.sendall(response)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass
    except OSError:
        pass
    finally:
        connection.close()


def serve(port):
    all_of = [C[name] for name in NAMES]
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(128)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=answer, args=(connection, all_of), daemon=True).start()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    print(len(NAMES))
