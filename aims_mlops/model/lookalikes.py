"""Which characters look like an ASCII letter, digit, dot, dash or underscore. Generated; do not edit.

Made by tests/unit/model/build_lookalikes.py from Unicode's `confusables.txt` (through the package
confusable_homoglyphs 3.3.1) and from Unicode's names of characters. A line is a reading and the code points that look
like it, in hexadecimal; characters that compatibility decomposition takes care of are not in it. The
table is data of Unicode, Inc., changed as said there, under the licence below.
"""

# UNICODE LICENSE V3
#
# COPYRIGHT AND PERMISSION NOTICE
#
# Copyright © 1991-2024 Unicode, Inc.
#
# NOTICE TO USER: Carefully read the following legal agreement. BY
# DOWNLOADING, INSTALLING, COPYING OR OTHERWISE USING DATA FILES, AND/OR
# SOFTWARE, YOU UNEQUIVOCALLY ACCEPT, AND AGREE TO BE BOUND BY, ALL OF THE
# TERMS AND CONDITIONS OF THIS AGREEMENT. IF YOU DO NOT AGREE, DO NOT
# DOWNLOAD, INSTALL, COPY, DISTRIBUTE OR USE THE DATA FILES OR SOFTWARE.
#
# Permission is hereby granted, free of charge, to any person obtaining a
# copy of data files and any associated documentation (the "Data Files") or
# software and any associated documentation (the "Software") to deal in the
# Data Files or Software without restriction, including without limitation
# the rights to use, copy, modify, merge, publish, distribute, and/or sell
# copies of the Data Files or Software, and to permit persons to whom the
# Data Files or Software are furnished to do so, provided that either (a)
# this copyright and permission notice appear with all copies of the Data
# Files or Software, or (b) this copyright and permission notice appear in
# associated Documentation.
#
# THE DATA FILES AND SOFTWARE ARE PROVIDED "AS IS", WITHOUT WARRANTY OF ANY
# KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
# MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT OF
# THIRD PARTY RIGHTS.
#
# IN NO EVENT SHALL THE COPYRIGHT HOLDER OR HOLDERS INCLUDED IN THIS NOTICE
# BE LIABLE FOR ANY CLAIM, OR ANY SPECIAL INDIRECT OR CONSEQUENTIAL DAMAGES,
# OR ANY DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS,
# WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION,
# ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THE DATA
# FILES OR SOFTWARE.
#
# Except as contained in this notice, the name of a copyright holder shall
# not be used in advertising or otherwise to promote the sale, use or other
# dealings in these Data Files or Software without prior written
# authorization of the copyright holder.
#
# SPDX-License-Identifier: Unicode-3.0

ALIKE = """\
- 2d7 6d4 1173 2010 2011 2012 2013 2014 2015 2043 2212 2238 2500 2501 2796 2a29 2a2a 2cba 2e1a 2f00 30fc 3161
- 31d0 4e00 a7f7 fe58
. 660 6f0 701 702 a4f8 a60e 10a50 1d16d
0 1f10d
1 2780
10 23e8 2789
2 1a7 1bb 3e8 14bf 2781 a644 a6ef a75a
3 1b7 21c 417 498 4e0 2782 2ccc a76a a7ab 118ca 16f3b 1d206
4 13ce 2783 118af
5 1bc 2784 118bb
6 431 13ee 2785 2cd2 118d5
7 2786 104d2 118c6 1d212
8 222 223 9ea a6a b03 2787 1031a 1e8cb
9 9ed a67 b68 d6d 2788 2cca a76e a770 118ac 118cc 118d6
_ 7fa 2307
a 23a 251 391 3b1 410 430 13aa 15c5 1d00 1d8f 1e9a 2376 237a 2c65 a4ee ab7a 102a0 16f40 1d6a8 1d6c2 1d6e2 1d6fc
a 1d71c 1d736 1d756 1d770 1d790 1d7aa 1f150 1f170 1f1e6
aa a732 a733
ae c6 e6 4d4 4d5
ao a734 a735
ar 1f707
au a736 a737
av a738 a739 a73a a73b
ay a73c a73d
b 180 181 182 183 184 243 253 299 392 411 412 42c 432 462 463 48c 48d 13cf 13f4 13fc 1472 1473 15af 15f7 1d6c
b 1d80 a4d0 a796 a797 a7b4 10282 102a1 10301 1d6a9 1d6e3 1d71d 1d757 1d791 1f151 1f171 1f1e7
bl 42b
c a2 a9 187 188 23b 23c 255 25b 3b5 3f2 3f5 3f9 404 421 441 454 4aa 4ab 511 13df 1d04 20a1 20ac 22f4 2c88 2c89
c 2ca4 2ca5 a4da a792 a793 a794 a7c4 ab9b abaf 102a2 10302 10415 10429 1043d 1051c 118ce 118e9 118f2 1d6c6 1d6dc
c 1d700 1d716 1d73a 1d750 1d774 1d78a 1d7ae 1d7c4 1df1d 1f152 1f16e 1f172 1f1e8 1f74c
d d0 110 111 189 18a 18b 18c 221 256 257 501 13a0 13e7 146f 15de 15ea 1d05 1d6d 1d81 1d91 20ab a4d2 a4d3 a7c7
d a7c8 ab70 1f153 1f173 1f1e9
dz 2a3
e 246 247 395 415 435 4bd 4bf 13ac 1d07 1d92 212e 22ff 2c78 2d39 a4f0 ab32 ab34 ab7c 10286 118a6 118ae 1d6ac
e 1d6e6 1d720 1d75a 1d794 1f154 1f174 1f1ea
f 191 192 3dc 584 15b4 1d6e 1d82 1e9d a4dd a730 a798 a799 ab35 10287 102a5 10525 118a2 118c2 1d213 1d7ca 1f155
f 1f175 1f1eb
g 18d 193 1e4 1e5 260 261 262 50c 50d 581 13c0 13f3 13fb 1d83 1da2 a4d6 a7a0 a7a1 a7ac ab36 ab90 1f156 1f176
g 1f1ec
h 126 127 266 29c 397 41d 43d 45b 4a2 4bb 4c7 4c9 570 13bb 13c2 13f2 157c 1d78 210f 2c67 2c68 2c8e a4e7 a695 a727
h a795 a7aa ab8b 102cf 1d6ae 1d6e8 1d722 1d75c 1d796 1f157 1f177 1f1ed
i 131 268 269 26a 3b9 456 4cf 13a5 1d7b 1d7c 1d96 1fbe 2373 2378 a647 a7ae ab75 118c3 1d6a4 1d6ca 1d704 1d73e
i 1d778 1d7b2 1df1a 1f158 1f178 1f1ee
j 248 249 29d 37f 3f3 408 458 13ab 148d 1d0a a4d9 a7b2 ab7b 1f159 1f179 1f1ef
k 138 198 199 39a 3ba 3f0 41a 43a 49a 49e 13e6 16d5 1d0b 1d84 20ad 2c69 2c6a 2c94 2c95 a4d7 a740 a741 a742 a743
k a744 a745 a7a2 a7a3 abb6 10518 1d6b1 1d6cb 1d6de 1d6eb 1d705 1d718 1d725 1d73f 1d752 1d75f 1d779 1d78c 1d799
k 1d7b3 1d7c6 1f15a 1f17a 1f1f0
l 13f 140 141 142 196 197 19a 1c0 234 23d 26b 26c 26d 29f 399 406 4c0 5c0 5d5 5df 625 627 661 673 6f1 7ca 13de
l 14aa 16c1 18f3 1d85 2223 23fd 2c60 2c61 2c62 2c92 2cd0 2cd1 2d4f a4e1 a4f2 a748 a749 a78e a7ad ab37 ab38 ab39
l abae fd3c fd3d fe87 fe88 fe8d fe8e ffe8 1028a 10309 10320 1041b 10443 10526 118a3 118b2 16f16 16f28 1d22a 1d6b0
l 1d6ea 1d724 1d75e 1d798 1df11 1df13 1e8c7 1ee00 1ee80 1f15b 1f17b 1f1f1
ll 1c1 5f0 2016 2225 10199
lls 10198
lo 42e
ls 2aa
lt 20b6
lz 2ab
m 28d 39c 3fa 41c 43c 4cd 13b7 15f0 16d6 1d0d 1d86 2c6e 2c98 a4df ab3a ab51 ab87 102b0 10311 1d6b3 1d6ed 1d727
m 1d761 1d79b 1f15c 1f17c 1f1f2
mb 1f76b
n 19d 19e 220 235 272 273 274 39d 3b7 578 57c 1d70 1d87 2c9a a4e0 a790 a791 a7a4 a7a5 ab3b 1018e 10513 1d6b4
n 1d6c8 1d6ee 1d702 1d728 1d73c 1d762 1d776 1d79c 1d7b0 1f15d 1f17d 1f1f3
o d8 f8 19f 1fe 1ff 275 398 39f 3b8 3bf 3c3 3d1 3f4 41e 43e 472 473 4e8 4e9 555 585 5e1 629 647 665 6be 6c1 6c3
o 6d5 6f5 6ff 7c0 966 9e6 a66 ae6 b20 b66 be6 c02 c66 c82 ce6 d02 d20 d66 d82 e50 ed0 101d 1040 10ff 12d0 13be
o 13eb 1d0f 1d11 2296 229d 2365 236c 2c7a 2c9e 2c9f 2d31 2d41 2d54 3007 a4f3 a74a a74b a74c a74d ab3d ab3e ab74
o ab8e abbb fba6 fba7 fba8 fba9 fbaa fbab fbac fbad fcd9 fe93 fe94 fee9 feea feeb feec 10292 102ab 10404 1042c
o 104c2 104ea 10516 114d0 118b5 118c8 118d7 118e0 1d21a 1d6af 1d6b6 1d6b9 1d6c9 1d6d0 1d6d4 1d6dd 1d6e9 1d6f0
o 1d6f3 1d703 1d70a 1d70e 1d717 1d723 1d72a 1d72d 1d73d 1d744 1d748 1d751 1d75d 1d764 1d767 1d777 1d77e 1d782
o 1d78b 1d797 1d79e 1d7a1 1d7b1 1d7b8 1d7bc 1d7c5 1df1b 1ee24 1ee64 1ee84 1f15e 1f17e 1f1f4 1f714
oe 152 153
oo 221e a698 a699 a74e a74f
p 1a4 1a5 3a1 3c1 3f1 420 440 13e2 146d 18d6 1d18 1d29 1d71 1d7d 1d88 2117 2374 2c63 2ca2 2ca3 a4d1 a750 a751
p a752 a753 a754 a755 abb2 10295 1d6b8 1d6d2 1d6e0 1d6f2 1d70c 1d71a 1d72c 1d746 1d754 1d766 1d780 1d78e 1d7a0
p 1d7ba 1d7c8 1f15f 1f17f 1f1f5
q 24b 2a0 51b 563 566 1d90 2d55 a756 a757 a758 a759 a7af 1f160 1f180 1f1f6
qe 1f700
r ae 1a6 24c 24d 27c 27d 27e 280 433 493 13a1 13d2 1587 18f4 1d26 1d72 1d73 1d89 2c64 2c85 a4e3 a7a6 a7a7 ab47
r ab48 ab49 ab4b ab4c ab71 ab81 aba2 104b4 16f35 1d216 1df16 1f161 1f181 1f1f7
rn 271 1d6f 20a5 11700 118e3
s df 1bd 23f 282 3b2 3d0 405 455 54f 13d5 13da 13f0 18db 18f5 1d74 1d8a 1e9e 2c7e a4e2 a731 a7a8 a7a9 a7b5 a7c5
s a7c9 a7ca abaa 10296 10420 10448 118c1 16f3a 1d6c3 1d6fd 1d737 1d771 1d7ab 1df1e 1f162 1f182 1f1f8
sss 1f75c
t 166 167 1ab 1ac 1ad 1ae 236 23e 288 3a4 3c4 422 442 4ac 13a2 13bf 1d1b 1d75 20ae 22a4 2361 27d9 2c66 2ca6 a4d4
t ab72 10297 102b1 10315 118bc 16f0a 1d6bb 1d6d5 1d6f5 1d70f 1d72f 1d749 1d769 1d783 1d7a3 1d7bd 1df09 1f163
t 1f183 1f1f9 1f768
t3 a728
tf a777
ts 2a6
u 244 28b 3c5 54d 57d 1200 13cc 144c 1d1c 1d7e 1d99 222a 22c3 a4f4 a79f a7b8 a7b9 ab4e ab52 ab9c 104ce 104f6
u 118b8 118d8 16f42 1d6d6 1d710 1d74a 1d784 1d7be 1f164 1f184 1f1fa
ue 1d6b
uo ab63
v 1b2 3bd 474 475 5d8 667 6f7 13d9 142f 1d20 2228 22c1 2c71 2c74 2d38 a4e6 a6df a75e a75f aba9 10197 1051d 11706
v 118a0 118c0 16f08 1d20d 1d6ce 1d708 1d742 1d77c 1d7b6 1f165 1f185 1f1fb 1f708
vb 1f76c
w 26f 461 47d 51c 51d 561 13b3 13d4 1d21 20a9 2c72 2c73 a4ea a761 ab83 114c5 1170a 1170e 1170f 118e6 118ef 1f166
w 1f186 1f1fc
x d7 3a7 425 445 4b2 1541 157d 166d 166e 16b7 1d8d 2573 292b 292c 2a2f 2a30 2cac 2d5d a4eb a7b3 ab56 ab57 ab58
x ab59 10196 10290 102b4 10317 10322 10527 118ec 1d6be 1d6f8 1d732 1d76c 1d7a6 1f167 1f187 1f1fd
y a5 1b3 1b4 24e 24f 263 28f 3a5 3b3 3d2 423 443 4ae 4af 4b0 4b1 10e7 13a9 13bd 1d8c 1efe 1eff 213d 2ca8 a4ec
y ab5a 102b2 118a4 118dc 16f43 1d6bc 1d6c4 1d6f6 1d6fe 1d730 1d738 1d76a 1d772 1d7a4 1d7ac 1f168 1f188 1f1fe
z 1b5 1b6 224 225 240 290 291 396 13c3 1646 1d22 1d76 1d8e 2c6b 2c6c 2c7f a4dc a7c6 ab93 102f5 118a9 118c4 118e5
z 1d6ad 1d6e7 1d721 1d75b 1d795 1f169 1f189 1f1ff
"""
