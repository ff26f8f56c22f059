"""Nets of depthwise convolutions, with the parameter paths of our models; dropout is left out."""
from torch import nn
from torch.nn import functional as F


def conv_norm(cin, cout, kernel=1, stride=1, groups=1):
    conv = nn.Conv2d(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False)
    return [conv, nn.BatchNorm2d(cout)]


def conv_norm_relu6(*args, **options):
    return nn.Sequential(*conv_norm(*args, **options), nn.ReLU6(inplace=True))


class InvertedResidual(nn.Module):
    def __init__(self, cin, cout, stride, widening):
        super().__init__()
        inner = cin * widening
        first = [] if widening == 1 else [conv_norm_relu6(cin, inner)]
        middle = conv_norm_relu6(inner, inner, kernel=3, stride=stride, groups=inner)
        self.conv = nn.Sequential(*first, middle, *conv_norm(inner, cout))
        self.adds = stride == 1 and cin == cout

    def forward(self, x):
        return x + self.conv(x) if self.adds else self.conv(x)


class MobileNetV2(nn.Module):
    flattened = {}
    stages = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
              (6, 160, 3, 2), (6, 320, 1, 1)]

    def __init__(self):
        super().__init__()
        layers, cin = [conv_norm_relu6(3, 32, kernel=3, stride=2)], 32
        for widening, cout, depth, stride in self.stages:
            for k in range(depth):
                layers.append(InvertedResidual(cin, cout, stride if k == 0 else 1, widening))
                cin = cout
        layers.append(conv_norm_relu6(cin, 1280))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Identity(), nn.Linear(1280, 1000))

    def forward(self, x):
        return self.classifier(self.features(x).mean((2, 3)))


class SameConv2d(nn.Conv2d):
    """Padded as TensorFlow does it, for images of even size."""

    def __init__(self, cin, cout, kernel, stride=1, groups=1):
        super().__init__(cin, cout, kernel, stride, 0, groups=groups, bias=False)
        before, after = (kernel // 2,) * 2 if stride == 1 else ((kernel - 2) // 2, (kernel - 1) // 2)
        self.sides = (before, after, before, after)

    def forward(self, x):
        return super().forward(F.pad(x, self.sides) if any(self.sides) else x)


def lite_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3)


class LiteBlock(nn.Module):
    def __init__(self, cin, cout, kernel, stride, widening):
        super().__init__()
        inner = cin * widening
        self.wide = widening > 1
        if self.wide:
            self.conv_pw, self.bn1 = SameConv2d(cin, inner, 1), lite_norm(inner)
            self.conv_dw = SameConv2d(inner, inner, kernel, stride, inner)
            self.bn2 = lite_norm(inner)
            self.conv_pwl, self.bn3 = SameConv2d(inner, cout, 1), lite_norm(cout)
        else:
            self.conv_dw, self.bn1 = SameConv2d(cin, cin, kernel, stride, cin), lite_norm(cin)
            self.conv_pw, self.bn2 = SameConv2d(cin, cout, 1), lite_norm(cout)
        self.adds = stride == 1 and cin == cout

    def forward(self, x):
        if self.wide:
            h = F.relu6(self.bn1(self.conv_pw(x)))
            h = self.bn3(self.conv_pwl(F.relu6(self.bn2(self.conv_dw(h)))))
        else:
            h = self.bn2(self.conv_pw(F.relu6(self.bn1(self.conv_dw(x)))))
        return h + x if self.adds else h


class EfficientNetLite0(nn.Module):
    flattened = {}
    stages = [(3, 1, 1, 16, 1), (3, 2, 6, 24, 2), (5, 2, 6, 40, 2), (3, 2, 6, 80, 3),
              (5, 1, 6, 112, 3), (5, 2, 6, 192, 4), (3, 1, 6, 320, 1)]

    def __init__(self):
        super().__init__()
        self.conv_stem, self.bn1 = SameConv2d(3, 32, 3, 2), lite_norm(32)
        blocks, cin = [], 32
        for kernel, stride, widening, cout, depth in self.stages:
            stage = []
            for k in range(depth):
                stage.append(LiteBlock(cin, cout, kernel, stride if k == 0 else 1, widening))
                cin = cout
            blocks.append(nn.Sequential(*stage))
        self.blocks = nn.Sequential(*blocks)
        self.conv_head, self.bn2 = SameConv2d(cin, 1280, 1), lite_norm(1280)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, x):
        x = self.blocks(F.relu6(self.bn1(self.conv_stem(x))))
        return self.classifier(F.relu6(self.bn2(self.conv_head(x))).mean((2, 3)))
